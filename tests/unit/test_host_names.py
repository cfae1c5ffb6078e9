"""TLS: the names and addresses that a certificate can hold, and what is said of anything else."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.access import certificates, pem
from collector.settings import Settings
from telemetry.host_names import host_names
from telemetry.settings import SettingError, load


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("  ", ()),
        ("iot.local", ("iot.local",)),
        ("iot.local,192.168.1.5", ("iot.local", "192.168.1.5")),
        (" IoT.Local , iot.local,a ", ("iot.local", "a")),
        ("fd00:0:0::5,::1", ("fd00::5", "::1")),
        ("a.example,*.a.example", ("a.example", "*.a.example")),
        ("xn--mnchen-3ya.example,3d-printer", ("xn--mnchen-3ya.example", "3d-printer")),
        (f"{'a' * 63}.{'b' * 63}", (f"{'a' * 63}.{'b' * 63}",)),
    ],
)
def test_names_and_addresses_are_taken(text: str, names: tuple[str, ...]) -> None:
    assert host_names(text) == names
    assert load(Settings, {"TLS": text}).tls_names == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("iot local", "'iot local' is neither a name nor an address"),
        ("a,,b", "'' is empty"),
        ("https://iot.local", "is a URL"),
        ("iot.local:1337", "is neither"),
        ("a,*", r"'\*' has a \* elsewhere than before a domain"),
        ("a,*.local", r"has a \* elsewhere"),
        ("a,x*.iot.example", r"has a \* elsewhere"),
        ("*.iot.example", "cannot be the first"),
        ("münchen.example", "write as xn--"),
        ("192.168.1.256", "is neither"),
        ("[::1]", "is neither"),
        ("fe80::1%eth0", "is no address"),
        ("0.0.0.0", "is no address"),  # noqa: S104
        ("-a", "is neither"),
        ("a" * 64, "is neither"),
        (".".join(["a"] * 128), "is longer than 253 characters"),
        ("1", "is neither"),
        ("on", "is no name: TLS is on with names"),
        ("a\nb", "is neither"),
        (",".join(f"a{n}" for n in range(101)), "expected a list of at most 100 names, found 101"),
    ],
)
def test_anything_else_is_named_with_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as raised:
        load(Settings, {"TLS": text})
    assert str(raised.value).startswith(f"TLS={text!r}: expected a list of ")


@given(st.lists(st.text("aB0-.*:%_/ é", max_size=8) | st.ip_addresses().map(str), max_size=4))
def test_what_is_taken_fits_into_a_certificate(names: list[str]) -> None:
    try:
        taken = host_names(",".join(names))
    except ValueError:
        return
    assert host_names(",".join(taken)) == taken
    with TemporaryDirectory() as directory:
        certificates.ensure(Path(directory), taken)
        found = certificates.load(Path(directory))
        assert found
        assert set(taken) <= set(pem.names_of(found[0][0]))
