"""A private Cyrus IMAP on loopback. Any user name logs in with the one password; its INBOX appears at once."""

from __future__ import annotations

from contextlib import ExitStack
from socket import socket
from struct import unpack

from tests.servers import private_root
from tests.servers.certificates import authority, identity
from tests.servers.private_root import AskedDaemon, PrivateRoot, PrivateServer
from tests.servers.process import answers, free_ports, give_to

USER = "mail"  # whom Cyrus becomes: a system user that every Debian has


def why_missing() -> str | None:
    """Say why Cyrus cannot be used here; ``None`` when it can."""
    return private_root.why_missing("cyrus")


class Cyrus(PrivateServer):
    """A running Cyrus, plain and with STARTTLS on one port, TLS from the start on the other."""

    def _start(self, ends: ExitStack) -> None:
        root = PrivateRoot("cyrus")
        ends.callback(root.remove)
        self.ca_file = root.folder / "ca.pem"
        self.ca_file.write_bytes(authority().certificate)
        give_to(USER, *identity().write(root.folder))
        for name in ("config", "mail", "run"):
            (root.folder / name).mkdir()
            give_to(USER, root.folder / name)
        daemon = AskedDaemon(root.folder / "run" / "mux", self._is_known)
        ends.callback(daemon.stop)
        self.imap_port, self.imaps_port = free_ports(2)
        root.write("/etc/imapd.conf", _IMAPD_CONF.format(folder=root.folder, user=USER))
        root.write("/etc/cyrus.conf", _CYRUS_CONF.format(imap_port=self.imap_port, imaps_port=self.imaps_port))
        master = ["/usr/sbin/cyrmaster", "-p", f"{root.folder}/run/master.pid"]
        process = root.start(master, lambda: answers(self.imap_port) and answers(self.imaps_port))
        ends.callback(process.stop)

    def _is_known(self, line: socket) -> None:
        """Answer as saslauthd does: user, password, service and realm come with their lengths."""
        with line.makefile("rb") as asked:
            _, password, _, _ = (asked.read(unpack("!H", asked.read(2))[0]) for _ in range(4))
        line.sendall(b"\0\2OK" if password == self.password.encode() else b"\0\2NO")


_IMAPD_CONF = """\
configdirectory: {folder}/config
defaultpartition: default
partition-default: {folder}/mail
cyrus_user: {user}
cyrus_group: {user}
autocreate_quota: 0
autocreate_quota_messages: 0
unixhierarchysep: yes
allowplaintext: yes
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {folder}/run/mux
sasl_mech_list: PLAIN LOGIN
tls_server_cert: {folder}/certificate.pem
tls_server_key: {folder}/key.pem
lmtpsocket: {folder}/run/lmtp
idlesocket: {folder}/run/idle
notifysocket: {folder}/run/notify
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
sievedir: {folder}/run/sieve
"""
_CYRUS_CONF = """\
START {{
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -r"
}}
SERVICES {{
  imap cmd="/usr/lib/cyrus/bin/imapd" listen="127.0.0.1:{imap_port}" prefork=1 maxchild=100
  imaps cmd="/usr/lib/cyrus/bin/imapd -s" listen="127.0.0.1:{imaps_port}" prefork=0 maxchild=100
}}
EVENTS {{
}}
"""
