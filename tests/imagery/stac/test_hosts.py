"""Which addresses may be asked: nothing by default, never the inside, whatever a name or a notation hides."""

import socket
from collections.abc import Callable, Sequence

import pytest

from imagery.stac.hosts import HostRefused, HostUnknown, host_check, is_inside, url_check

PUBLIC = "93.184.216.34"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Sequence[str]]], None]:
    """Let names resolve as a test says; the network is not asked."""

    def use(table: dict[str, Sequence[str]]) -> None:
        def look_up(host: str, port: int, *_args: object, **_more: object) -> list[tuple[object, ...]]:
            if host not in table:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in table[host]]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return use


def test_no_host_is_allowed_by_default(settings):
    assert settings.REMOTE_HOSTS == []
    with pytest.raises(HostRefused, match=r"^The host stac.example.org is not one .* RSPORTAL_REMOTE_HOSTS\.$"):
        host_check("https://stac.example.org/search")


@pytest.mark.parametrize(
    ("pattern", "url", "passes"),
    [
        ("data.example.org", "https://data.example.org/a.tif", True),
        ("data.example.org", "https://DATA.example.org./a.tif", True),
        ("data.example.org", "http://data.example.org/a.tif", True),
        ("data.example.org", "https://data.example.org:8443/a.tif", False),
        ("data.example.org:8443", "https://data.example.org:8443/a.tif", True),
        ("data.example.org:8443", "https://data.example.org/a.tif", False),
        ("data.example.org:*", "https://data.example.org:1/a.tif", True),
        ("data.example.org", "https://evil-data.example.org/a.tif", False),
        ("data.example.org", "https://data.example.org.evil.net/a.tif", False),
        ("*.example.org", "https://a.b.example.org/a.tif", True),
        ("*.example.org", "https://example.org/a.tif", False),
        ("*.example.org", "https://badexample.org/a.tif", False),
        ("*", "https://anything.example/a.tif", True),
        ("*", "https://anything.example:8080/a.tif", False),
        ("*:*", "https://anything.example:8080/a.tif", True),
        ("[2001:db8::1]:8000", "http://[2001:db8::1]:8000/a.tif", True),
        ("2001:db8::1", "http://[2001:db8::1]/a.tif", True),
        ("bücher.example", "https://xn--bcher-kva.example/", False),
        ("xn--bcher-kva.example", "https://bücher.example/", True),
    ],
)
def test_hosts_and_ports_of_the_setting(settings, pattern: str, url: str, passes: bool):
    settings.REMOTE_HOSTS = ["other.example", pattern]
    if passes:
        url_check(url)
    else:
        with pytest.raises(HostRefused):
            url_check(url)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://data.example.org/a.tif",
        "s3://bucket/a.tif",
        "/vsicurl/http://data.example.org/a.tif",
        "data.example.org/a.tif",
        "http://",
        "http://data.example.org:99999/",
        "http://data.example.org\\@127.0.0.1/",
        "http://user:secret@data.example.org/a.tif",
        "http://data.example.org/a b.tif",
        "http://data.example.org/a.tif\r\nX: 1",
        "http://[::1/",
        "http://" + "a" * 3000,
        "http://a_b..c/",
    ],
)
def test_odd_addresses_are_refused_with_a_sentence(settings, url: str):
    settings.REMOTE_HOSTS = ["*:*"]
    with pytest.raises(HostRefused) as refused:
        host_check(url)
    assert refused.value.message.endswith(".")
    assert "secret" not in refused.value.message
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_inside(address: str):
    assert is_inside(address)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_of_the_public_internet(address: str):
    assert not is_inside(address)


def test_a_name_is_refused_for_where_it_leads(settings, names):
    settings.REMOTE_HOSTS = ["*"]
    names({"good.example": [PUBLIC], "bad.example": ["169.254.169.254"], "both.example": [PUBLIC, "10.0.0.1"]})
    host_check("https://good.example/a.tif")
    with pytest.raises(HostRefused, match=r"bad.example leads to 169.254.169.254, .* RSPORTAL_REMOTE_PRIVATE=1\."):
        host_check("http://bad.example/latest/meta-data")
    with pytest.raises(HostRefused, match=r"leads to 10\.0\.0\.1"):
        host_check("https://both.example/a.tif")
    with pytest.raises(HostUnknown, match=r"^The host gone.example cannot be found: "):
        host_check("https://gone.example/a.tif")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:7f00:1]"]
)
def test_loopback_is_refused_in_every_notation(settings, host: str):
    settings.REMOTE_HOSTS = ["*:*"]
    with pytest.raises((HostRefused, HostUnknown)):
        host_check(f"http://{host}:8000/")


def test_closed_networks_may_allow_their_own_addresses(settings):
    settings.REMOTE_HOSTS, settings.REMOTE_PRIVATE = ["127.0.0.1:*"], True
    host_check("http://127.0.0.1:8000/")
    with pytest.raises(HostRefused):
        host_check("http://127.0.0.2:8000/")
