"""Which addresses the portal may ask for data: allowed hosts only, and never the inside of its own network.

The rule is asked three times: for an address as it is written (:func:`host_check`), for every hop of a redirect, and
for the very address that a connection is made to (:func:`addresses_checked`), so that a name that resolves to
something else a moment later leads nowhere else.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput, Unavailable

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 2000  # characters
_UNWANTED: Final = re.compile(r"[\x00-\x20\x7f\\]")
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
# Shared address space of carriers and benchmark networks: not called private by every version of the standard library.
_INSIDE: Final = (ipaddress.IPv4Network("100.64.0.0/10"), ipaddress.IPv4Network("198.18.0.0/15"))


class HostRefused(InvalidInput):
    """The portal may not ask this address; the message says which setting decides."""

    code = "host_refused"


class HostUnknown(Unavailable):
    """The name of a host could not be looked up just now."""

    code = "host_unknown"


def host_check(url: str) -> None:
    """Raise HostRefused unless ``url`` is one the portal may read, now and by its present address.

    HostUnknown when its name cannot be looked up.
    """
    host, port = url_check(url)
    addresses_checked(host, port)


def url_check(url: str) -> tuple[str, int]:
    """Return (host, port) of an address that the settings allow; nothing is looked up. Raises HostRefused."""
    parts = _split(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise HostRefused(
            _("%(url)s cannot be read: only http:// and https:// addresses are.") % {"url": _short(url)}, field="href"
        )
    host = _host_of(parts, url)
    try:
        port = parts.port or _PORTS[scheme]
    except ValueError:
        raise _malformed(url) from None
    if not any(_allows(pattern, host, port, scheme) for pattern in settings.REMOTE_HOSTS):
        raise HostRefused(
            _("The host %(host)s is not one this portal may read from. Its operator names hosts in %(setting)s.")
            % {"host": _host_and_port(host, port, scheme), "setting": "RSPORTAL_REMOTE_HOSTS"},
            field="href",
        )
    return host, port


def addresses_checked(host: str, port: int) -> list[str]:
    """Return the IP addresses of ``host`` to connect to. Raises HostUnknown, or HostRefused if one of them is inside.

    One address of the portal's own network among several refuses the name: it would be a matter of chance otherwise.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HostUnknown(
            _("The host %(host)s cannot be found: %(reason)s.") % {"host": host, "reason": reason}
        ) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.REMOTE_PRIVATE:
        for address in addresses:
            if is_inside(address):
                raise HostRefused(
                    _(
                        "The host %(host)s leads to %(address)s, which is not on the public internet. In a closed "
                        "network the operator allows such addresses by %(setting)s."
                    )
                    % {"host": host, "address": address, "setting": "RSPORTAL_REMOTE_PRIVATE=1"},
                    field="href",
                )
    return addresses


def is_inside(address: str) -> bool:
    """Return whether an IP address is anything but one of the public internet.

    Private, loopback, link-local, multicast, reserved and unspecified ones are inside, also where an IPv6 address
    carries them (mapped, 6to4, Teredo, NAT64).
    """
    found: Address = ipaddress.ip_address(address.partition("%")[0])
    return any(not each.is_global or each.is_multicast or _named_inside(each) for each in (found, *_carried(found)))


def _named_inside(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv4Address) and any(address in network for network in _INSIDE)


def _carried(address: Address) -> list[Address]:
    """Return the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    carried: list[Address] = [each for each in (address.ipv4_mapped, address.sixtofour) if each is not None]
    carried += address.teredo or ()
    if any(address in network for network in _NAT64):
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return carried


def _split(url: str) -> SplitResult:
    if len(url) > _LONGEST or _UNWANTED.search(url):
        raise _malformed(url)
    try:
        return urlsplit(url)
    except ValueError:
        raise _malformed(url) from None


def _host_of(parts: SplitResult, url: str) -> str:
    """Return the host in lower case, as its name goes over the wire (IDNA); no user, no password."""
    if not parts.hostname:
        raise _malformed(url)
    if parts.username is not None or parts.password is not None:
        raise HostRefused(
            _("%(url)s carries a user name or password; write addresses without.") % {"url": parts.hostname},
            field="href",
        )
    host = parts.hostname.rstrip(".").lower()
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _malformed(url) from None
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _malformed(url) from None
    if not all(_NAME.fullmatch(label) for label in host.split(".")):
        raise _malformed(url)
    return host


def _allows(pattern: str, host: str, port: int, scheme: str) -> bool:
    """Return whether an entry of the setting lets a host and port pass.

    ``name`` means the usual port of the scheme, ``name:8443`` that one, ``name:*`` any; ``*.name`` what is below a
    name (not the name itself), ``*`` every public host.
    """
    wanted = pattern.strip().lower()
    name, colon, ports = wanted.rpartition(":")
    if not colon or (wanted.count(":") > 1 and not wanted.startswith("[")) or ports.endswith("]"):
        name, ports = wanted, ""
    name = name.strip("[]").rstrip(".")
    if not (ports == "*" or ports == str(port) or (not ports and port == _PORTS[scheme])):
        return False
    return name == "*" or name == host or (name.startswith("*.") and host.endswith(name[1:]))


def _host_and_port(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == _PORTS[scheme] else f"{name}:{port}"


def _malformed(url: str) -> HostRefused:
    return HostRefused(_("%(url)s is not an address that can be read.") % {"url": _short(url)}, field="href")


def _short(url: str) -> str:
    """Return an address for a message: without its query, which may hold a key."""
    return url.partition("?")[0][:120]
