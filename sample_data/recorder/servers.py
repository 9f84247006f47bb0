"""Configuration and start of the real servers of the office."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from recorder import plan
from recorder.net import HERE, Office, run

# fmt: off
WORDS = [
    "market", "harbour", "signal", "ledger", "orchard", "window", "copper", "valley", "thread", "lantern",
    "quarter", "meadow", "engine", "paper", "winter", "bridge", "garden", "mirror", "planet", "silver",
    "forest", "number", "letter", "island", "canvas", "river", "morning", "ticket", "stone", "carpet",
    "answer", "theory", "basket", "corner", "village", "summer", "record", "museum", "season", "pocket",
]
# fmt: on


def prose(rng: random.Random, size: int) -> str:
    """Return about `size` characters of made-up text that compresses as text does."""
    out, length = [], 0
    while length < size:
        sentence = " ".join(rng.choice(WORDS) for _ in range(rng.randint(5, 12))).capitalize() + ".\n"
        out.append(sentence)
        length += len(sentence)
    return "".join(out)


def start_all(office: Office) -> None:
    """Make keys, pages and mailboxes, start every server and wait until all of them listen."""
    _certificates(office)
    _dns(office)
    _web(office)
    _kerberos(office)
    _ssh(office)
    for host, domain in (("mail", plan.DOMAIN), ("mx", "partner.example")):
        _postfix(office, host, domain)
    _dovecot(office)
    _small_servers(office)


def _certificates(office: Office) -> None:
    """Make one authority and one certificate for the inside and the outside each."""
    where = office.tmp / "tls"
    where.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    run(
        "openssl",
        "req",
        "-x509",
        *key,
        "-subj",
        "/CN=Recording Test Authority",
        "-keyout",
        f"{where}/ca.key",
        "-out",
        f"{where}/ca.pem",
    )
    names = {
        "inside": [f"*.{plan.DOMAIN}"],
        "outside": [n for site in plan.SITES for n in (site, f"www.{site}")],
    }
    for name, hosts in names.items():
        run(
            "openssl",
            "req",
            *key,
            "-subj",
            f"/CN={hosts[0]}",
            "-keyout",
            f"{where}/{name}.key",
            "-out",
            f"{where}/{name}.csr",
        )
        (where / "ext").write_text("subjectAltName=" + ",".join(f"DNS:{h}" for h in hosts))
        run(
            "openssl",
            "x509",
            "-req",
            "-in",
            f"{where}/{name}.csr",
            "-CA",
            f"{where}/ca.pem",
            "-CAkey",
            f"{where}/ca.key",
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            f"{where}/ext",
            "-out",
            f"{where}/{name}.pem",
        )


def _dns(office: Office) -> None:
    """Start dnsmasq inside (forwards) and outside (knows the .example names, short times to live)."""
    inside = [
        f"server={plan.BY_NAME['extdns'].v4[0]}",
        f"local=/{plan.DOMAIN}/",
        "local=/20.10.in-addr.arpa/",
        "local-ttl=30",
        "cache-size=200",
    ]
    for host in plan.HOSTS:
        if host.segment != "wan":
            inside.append("host-record=" + ",".join([f"{host.name}.{plan.DOMAIN}", *host.v4, *host.v6]))
    web = plan.BY_NAME["web"]
    inside.append(f"host-record=portal.{plan.DOMAIN},{web.v4[0]}")
    inside.append(f"mx-host={plan.DOMAIN},mail.{plan.DOMAIN},10")
    outside = [
        "local-ttl=20",
        "mx-host=partner.example,mx.partner.example,10",
        "local=/example/",
        f"host-record=mx.partner.example,{plan.BY_NAME['mx'].v4[0]}",
    ]
    for site, (v4, v6) in plan.SITES.items():
        for name in (site, f"www.{site}"):
            outside.append(f"host-record={name},{v4}" + (f",{v6}" if v6 else ""))
    for host, lines in (("dns", inside), ("extdns", outside)):
        conf = office.tmp / f"{host}.conf"
        conf.write_text(
            "\n".join(["no-resolv", "no-hosts", "user=root", "no-daemon", f"pid-file={conf}.pid", *lines]) + "\n"
        )
        office.daemon(host, f"dnsmasq -C {conf}")
        office.wait_port(host, 53, "u")


def _web(office: Office) -> None:
    """Write the pages and start nginx on every web server, and the /app behind the one of the office."""
    rng = random.Random(f"{office.seed}-pages")
    root = office.tmp / "www"
    root.mkdir()
    for number in range(plan.PAGES):
        size = min(8000, max(300, int(rng.lognormvariate(7.1, 0.8))))
        if number == plan.PAGES - 1:
            size = 28000  # the heavy tail
        (root / f"p{number}.html").write_text(f"<html><body>{prose(rng, size)}</body></html>\n")
    for number in range(plan.IMAGES):
        size = min(6000, max(200, int(rng.lognormvariate(6.8, 0.8)))) if number < plan.IMAGES - 1 else 24000
        (root / f"i{number}.bin").write_bytes(rng.randbytes(size))
    (root / "manifest.json").write_text('{"latest": "4.2.1", "channel": "stable"}\n')
    (root / "ping").write_text("ok\n")
    for path in root.iterdir():
        os.utime(path, (1700000000, 1700000000))
    for host, certificate, extra in (
        ("web", "inside", True),
        ("branch", "", False),
        ("exta", "outside", False),
        ("extb", "outside", False),
        ("c2", "outside", False),
    ):
        where = office.tmp / f"nginx-{host}"
        where.mkdir()
        app = "location /app { proxy_pass http://127.0.0.1:8081; }" if extra else ""
        tls = (
            f"""listen 443 ssl http2 default_server; listen [::]:443 ssl http2 default_server;
            ssl_certificate {office.tmp}/tls/{certificate}.pem;
            ssl_certificate_key {office.tmp}/tls/{certificate}.key;"""
            if certificate
            else ""
        )
        temp = "\n".join(
            f"{kind}_temp_path {where}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (where / "nginx.conf").write_text(f"""
            daemon off; user root; worker_processes 1; pid {where}/pid; error_log {where}/error.log;
            events {{ worker_connections 512; }}
            http {{
              access_log off; default_type text/html; keepalive_timeout 15s; {temp}
              server {{
                listen 80 default_server; listen [::]:80 default_server; {tls}
                root {root}; index p0.html;
                location /old/ {{ return 301 /p1.html; }}
                location /post {{ proxy_pass http://127.0.0.1:8082; }}
                {app}
              }}
              server {{ listen 127.0.0.1:8082; location / {{ return 200 "stored\\n"; }} }}
            }}""")
        office.daemon(host, f"nginx -e {where}/error.log -c {where}/nginx.conf -p {where}")
    office.daemon("web", f"{sys.executable} {HERE}/backend.py {plan.BY_NAME['db'].v4[0]}")
    for host in ("web", "exta", "extb", "c2"):
        office.wait_port(host, 443)
    office.wait_port("branch", 80)
    office.wait_port("web", 8081)


def _kerberos(office: Office) -> None:
    """Make the realm, its users and services, and start the KDC."""
    where = office.tmp / "krb5"
    where.mkdir()
    (where / "krb5.conf").write_text(f"""[libdefaults]
 default_realm = {plan.REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 {plan.REALM} = {{
  kdc = kdc.{plan.DOMAIN}
 }}
[domain_realm]
 .{plan.DOMAIN} = {plan.REALM}
""")
    # The same, but for clients that speak TCP to the KDC.
    text = (where / "krb5.conf").read_text()
    (where / "krb5-tcp.conf").write_text(text.replace(" rdns", " udp_preference_limit = 1\n rdns"))
    (where / "kdc.conf").write_text(f"""[kdcdefaults]
 kdc_ports = 88
 kdc_tcp_ports = 88
[realms]
 {plan.REALM} = {{
  database_name = {where}/principal
  key_stash_file = {where}/stash
  acl_file = {where}/acl
  max_life = 10h
  default_principal_flags = +preauth
 }}
[logging]
 kdc = FILE:{where}/kdc.log
 default = FILE:{where}/krb5.log
""")
    (where / "acl").write_text("")
    env = {**office.env, "KRB5_CONFIG": f"{where}/krb5.conf", "KRB5_KDC_PROFILE": f"{where}/kdc.conf"}
    lines = [f"addprinc -pw {plan.PASSWORD} {user}" for user in plan.USERS]
    for service in ("host/files", "HTTP/web"):
        lines.append(f"addprinc -randkey {service}.{plan.DOMAIN}")
    lines.append(f"ktadd -k {where}/files.keytab host/files.{plan.DOMAIN}")
    subprocess.run(
        ["kdb5_util", "create", "-s", "-r", plan.REALM, "-P", "recording"],
        env=env,
        check=True,
        capture_output=True,
    )
    subprocess.run(["kadmin.local"], env=env, check=True, capture_output=True, text=True, input="\n".join(lines) + "\n")
    office.daemon("kdc", "krb5kdc -n", KRB5_CONFIG=env["KRB5_CONFIG"], KRB5_KDC_PROFILE=env["KRB5_KDC_PROFILE"])
    office.wait_port("kdc", 88, "u")


def _ssh(office: Office) -> None:
    """Start sshd with the office's users, who exist in its namespace only."""
    where = office.tmp / "ssh"
    where.mkdir()
    for kind in ("ed25519", "ecdsa"):
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "recording", "-f", f"{where}/host_{kind}")
    known = (where / "host_ed25519.pub").read_text()
    (where / "known_hosts").write_text(f"files.{plan.DOMAIN} {known}")
    passwd, shadow = Path("/etc/passwd").read_text(), ""
    for line in passwd.splitlines():
        shadow += line.split(":")[0] + ":*:19000:0:99999:7:::\n"
    rng = random.Random(f"{office.seed}-home")
    for number, user in enumerate(plan.USERS):
        home = office.tmp / "home" / user
        home.mkdir()
        for name in ("report", "notes", "todo"):
            (home / f"{name}.txt").write_text(prose(rng, rng.randint(300, 5000)))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", user, "-f", f"{where}/{user}")
        shutil.copy(where / f"{user}.pub", where / f"{user}.authorized")
        run("chown", "-R", f"{3001 + number}:100", str(home))
        passwd += f"{user}:x:{3001 + number}:100::{home}:/bin/sh\n"
        shadow += f"{user}:*:19000:0:99999:7:::\n"
    etc = Path("/etc/netns") / office.ns("files")
    (etc / "passwd").write_text(passwd)
    (etc / "shadow").write_text(shadow)
    (where / "sshd_config").write_text(f"""Port 22
ListenAddress 0.0.0.0
HostKey {where}/host_ed25519
HostKey {where}/host_ecdsa
PidFile {where}/pid
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile {where}/%u.authorized
GSSAPIAuthentication yes
GSSAPIStrictAcceptorCheck no
PrintMotd no
PrintLastLog no
MaxStartups 50:30:100
""")
    (where / "client_config").write_text(f"""Host *
 UserKnownHostsFile {where}/known_hosts
 GlobalKnownHostsFile /dev/null
 StrictHostKeyChecking yes
 HostKeyAlgorithms ssh-ed25519
 LogLevel ERROR
 ConnectTimeout 10
 BatchMode yes
""")
    office.daemon(
        "files",
        f"/usr/sbin/sshd -D -e -f {where}/sshd_config",
        KRB5_CONFIG=f"{office.tmp}/krb5/krb5.conf",
        KRB5_KTNAME=f"FILE:{office.tmp}/krb5/files.keytab",
    )
    office.wait_port("files", 22)


MASTER_CF = """smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def _postfix(office: Office, host: str, domain: str) -> None:
    """Start a postfix that takes mail for one domain (and, inside, sends other mail to the outside)."""
    where = office.tmp / f"postfix-{host}"
    boxes = office.tmp / "mail"
    for path in (where, where / "queue", where / "data", boxes):
        path.mkdir(exist_ok=True)
    run("chown", "postfix", str(where / "data"))
    run("chown", "8:8", str(boxes))
    users = plan.USERS if host == "mail" else ["sales", "support", "orders"]
    folder = "" if host == "mail" else "outside-"
    (where / "boxes").write_text("".join(f"{user}@{domain} {folder}{user}/\n" for user in users))
    tls = "outside" if host == "mx" else "inside"
    (where / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {where}/queue
data_directory = {where}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {host}.{domain}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{where}/boxes
virtual_mailbox_base = {boxes}
virtual_minimum_uid = 1
virtual_uid_maps = static:8
virtual_gid_maps = static:8
mynetworks = 127.0.0.0/8{", 10.20.0.0/16" if host == "mail" else ""}
inet_protocols = ipv4
smtpd_tls_cert_file = {office.tmp}/tls/{tls}.pem
smtpd_tls_key_file = {office.tmp}/tls/{tls}.key
smtpd_tls_security_level = may
smtp_tls_security_level = none
maillog_file = {where}/log
maillog_file_prefixes = {where}
""")
    (where / "master.cf").write_text(MASTER_CF)
    office.daemon(host, f"sh -c 'postfix -c {where} check; exec /usr/lib/postfix/sbin/master -c {where} -d'")
    office.wait_port(host, 25)


def _dovecot(office: Office) -> None:
    """Start dovecot over the mailboxes that postfix fills."""
    where = office.tmp / "dovecot"
    where.mkdir()
    (where / "dovecot.conf").write_text(f"""protocols = imap
listen = *
base_dir = {where}/run
state_dir = {where}/state
log_path = {where}/log
ssl = yes
ssl_cert = <{office.tmp}/tls/inside.pem
ssl_key = <{office.tmp}/tls/inside.key
disable_plaintext_auth = no
mail_location = maildir:{office.tmp}/mail/%n
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = password={plan.PASSWORD}
}}
userdb {{
  driver = static
  args = uid=8 gid=8 home={office.tmp}/mail/%n
}}
""")
    office.daemon("mail", f"dovecot -F -c {where}/dovecot.conf")
    office.wait_port("mail", 143)


def _small_servers(office: Office) -> None:
    """Start mosquitto, redis, chrony and tinyproxy, each with a configuration of a few lines."""
    tmp = office.tmp
    (tmp / "mosquitto.conf").write_text("user root\nlistener 1883\nallow_anonymous true\npersistence false\n")
    office.daemon("mqtt", f"mosquitto -c {tmp}/mosquitto.conf")
    (tmp / "redis").mkdir()
    office.daemon("db", f"redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir {tmp}/redis")
    (tmp / "chrony").mkdir(mode=0o700)
    (tmp / "chrony" / "server.conf").write_text(
        f"local stratum 8\nallow all\ncmdport 0\nbindcmdaddress /\npidfile {tmp}/chrony/server.pid\n"
    )
    # -x: chrony must never set the clock of the machine that records.
    office.daemon("ntp", f"chronyd -x -d -u root -f {tmp}/chrony/server.conf")
    (tmp / "tinyproxy.conf").write_text(
        f"User root\nGroup root\nPort 3128\nTimeout 30\nMaxClients 60\nLogLevel Error\n"
        f'LogFile "{tmp}/tinyproxy.log"\nPidFile "{tmp}/tinyproxy.pid"\n'
        "Allow 10.20.0.0/16\nAllow fd00:20::/64\nConnectPort 443\n"
    )
    office.daemon("proxy", f"tinyproxy -d -c {tmp}/tinyproxy.conf")
    for host, port, kind in (("mqtt", 1883, "t"), ("db", 6379, "t"), ("ntp", 123, "u"), ("proxy", 3128, "t")):
        office.wait_port(host, port, kind)


def start_ntp_clients(office: Office, hosts: list[str]) -> None:
    """Start chrony as a client (it only asks, it sets no clock) on some hosts."""
    for host in hosts:
        conf = office.tmp / "chrony" / f"{host}.conf"
        conf.write_text(
            f"server ntp.{plan.DOMAIN} iburst minpoll 5 maxpoll 6\nport 0\ncmdport 0\n"
            f"bindcmdaddress /\npidfile {conf}.pid\n"
        )
        office.daemon(host, f"chronyd -x -d -u root -f {conf}")
