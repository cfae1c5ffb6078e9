// The collector as it was: Express, one write to InfluxDB for each request, 201 after it.
// node original.js PORT INFLUX_PORT influx|http
// It writes with the `influx` package as the original did or, which is faster, with Node's own http.
const express = require("express");
const http = require("http");
const { InfluxDB } = require("influx");

const [port, influxPort] = process.argv.slice(2, 4).map(Number);

function withPackage() {
  const influx = new InfluxDB({ host: "127.0.0.1", port: influxPort, database: "iot" });
  return (type, value, sensor) =>
    influx.writePoints([{ measurement: "data", tags: { type }, fields: { value, sensor_id: sensor } }]);
}

function withHttp() {
  const agent = new http.Agent({ keepAlive: true });
  const target = { agent, host: "127.0.0.1", port: influxPort, method: "POST", path: "/write?db=iot" };
  return (type, value, sensor) =>
    new Promise((resolve, reject) => {
      const write = http.request(target, (answer) => {
        answer.resume();
        answer.on("end", () => (answer.statusCode === 204 ? resolve() : reject(answer.statusCode)));
      });
      write.on("error", reject);
      write.end(`data,type=${type} value=${value},sensor_id=${sensor}`);
    });
}

const write = process.argv[4] === "influx" ? withPackage() : withHttp();
const app = express();
app.use(express.json());

app.post("/data", (request, response) => {
  const { type, value, sensor_id: sensor } = request.body;
  write(type, value, sensor).then(
    () => response.status(201).send("Created"),
    () => response.sendStatus(500),
  );
});

app.listen(port, "127.0.0.1", 1024);
