// The collector as it was: Express, one write to InfluxDB for each request, 201 after it.
// node original.js PORT INFLUX_PORT
const express = require("express");
const http = require("http");

const [port, influxPort] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true });
const target = { agent, host: "127.0.0.1", port: influxPort, method: "POST", path: "/write?db=iot" };

const app = express();
app.use(express.json());

app.post("/data", (request, response) => {
  const { type, value, sensor_id: sensor } = request.body;
  const write = http.request(target, (answer) => {
    answer.resume();
    answer.on("end", () => {
      if (answer.statusCode === 204) response.status(201).send("Created");
      else response.sendStatus(500);
    });
  });
  write.on("error", () => response.sendStatus(500));
  write.end(`data,type=${type} value=${value},sensor_id=${sensor}`);
});

app.listen(port, "127.0.0.1", 1024);
