"""The habits of people and machines of the office: one process per host, one thread per habit.

``python3 -m recorder.habits HOST CONFIG.json`` runs in the namespace of the host until the time given in the
configuration.  Each step a habit takes is written down (the truth file), so that mined patterns can be
checked against what was done.
"""

from __future__ import annotations

import base64
import http.client
import imaplib
import json
import random
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from recorder import plan
from recorder.person import Person, Session, office_name
from recorder.servers import prose

# -- habits of people ------------------------------------------------------------------------------------


def page_of(rng: random.Random) -> str:
    """Return a page; the big one is rare, some do not exist or have moved."""
    draw = rng.random()
    if draw < 0.03:
        return "missing.html"
    if draw < 0.06:
        return "old/"
    return f"p{plan.PAGES - 1 if draw > 0.985 else rng.randrange(plan.PAGES - 1)}.html"


def image_of(rng: random.Random) -> str:
    """Return a picture; the big one is rare."""
    return f"i{plan.IMAGES - 1 if rng.random() > 0.985 else rng.randrange(plan.IMAGES - 1)}.bin"


def browse(session: Session, rng: random.Random) -> None:
    """Look a site up and read it over HTTPS; its pages often pull pictures from the CDN right after."""
    site = rng.choice(
        ["news.example", "shop.example", "bank.example", "search.example", "blog.example", "weather.example"]
    )
    name = rng.choice([site, f"www.{site}"])
    for _ in range(min(4, 1 + int(rng.expovariate(1.2)))):
        urls = [f"https://{name}/{page_of(rng)}"]
        urls += [f"https://{name}/{image_of(rng)}" for _ in range(rng.randrange(3))]
        post = ["--data-raw", prose(rng, rng.randint(200, 3000))] if rng.random() < 0.08 else []
        if post:
            urls = [f"https://{name}/post"]
        session.curl(urls, *post, *(["--http1.1"] if rng.random() < 0.5 else []))
        if not post and rng.random() < 0.55:
            time.sleep(rng.uniform(0.05, 0.3))
            session.curl([f"https://cdn.example/{image_of(rng)}" for _ in range(rng.randint(1, 2))])
        if not session.person.sleep(rng.lognormvariate(1.6, 0.7)):
            return


# The date of all pages (see `servers`), so that nginx answers 304.
UNCHANGED = ("-H", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT")


def browse_plain(session: Session, rng: random.Random) -> None:
    """Read a site over plain HTTP; a page is asked for again with its date, and then not sent again."""
    name = rng.choice(["news.example", "weather.example", "blog.example", office_name("web")])
    for _ in range(rng.choice([1, 1, 2])):
        urls = [f"http://{name}/{page_of(rng)}"]
        urls += [f"http://{name}/{image_of(rng)}" for _ in range(rng.randrange(2))]
        draw = rng.random()
        options = [*UNCHANGED] if draw < 0.2 else ["-I"] if draw < 0.25 else []
        if draw > 0.88:
            urls = [f"http://{name}/post"]
            options = ["--data-raw", prose(rng, rng.randint(300, 9000))]
        session.curl(urls, *options)
        if not session.person.sleep(rng.lognormvariate(1.3, 0.6)):
            return


def use_branch(session: Session, rng: random.Random) -> None:
    """Read pages of the branch's own web server, which is behind the bad link."""
    # Pages only: text compresses, so that the recording may hold more of what the bad link does to bursts.
    pages = [f"p{plan.PAGES - 1}.html" if rng.random() < 0.12 else page_of(rng) for _ in range(rng.randint(1, 4))]
    session.curl([f"http://{office_name('branch')}/{page}" for page in pages])


def use_app(session: Session, rng: random.Random) -> None:
    """Ask the application of the office one to three times; each question makes web ask redis."""
    items = [rng.choice([*plan.USERS, "stock", "orders", "calendar"]) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    session.curl([f"http://{office_name('web')}/app/{item}" for item in items])


def kerberos_app(session: Session, rng: random.Random) -> None:
    """Get a ticket and a service ticket for the web server, then ask its application."""
    person = session.person
    env = {"KRB5_CONFIG": f"{person.tmp}/krb5/krb5.conf", "KRB5CCNAME": f"FILE:{person.tmp}/cc-{session.id}"}
    session.command("kinit", "kdc", 88, ["kinit", person.user], plan.PASSWORD + "\n", **env)
    time.sleep(rng.uniform(0.1, 0.5))
    session.command("kvno", "kdc", 88, ["kvno", "-q", f"HTTP/{office_name('web')}"], **env)
    time.sleep(rng.uniform(0.05, 0.2))
    use_app(session, rng)


def check_mail(session: Session, rng: random.Random) -> None:
    """Read new mail over IMAP (some with STARTTLS) and follow a link from it one to three seconds later."""
    person = session.person
    start, outcome, local = time.time(), "ok", 0
    box = imaplib.IMAP4(office_name("mail"), 143, timeout=20)
    try:
        local = box.sock.getsockname()[1]
        if int(person.host[2:]) % 3 == 0:
            box.starttls(ssl.create_default_context(cafile=f"{person.tmp}/tls/ca.pem"))
        if rng.random() < 0.06:
            try:
                box.login(person.user, "mistyped")
            except imaplib.IMAP4.error:
                outcome = "ok-second-try"
        box.login(person.user, plan.PASSWORD)
        box.select("INBOX")
        _, found = box.search(None, "UNSEEN")
        for number in found[0].split()[:3]:
            box.fetch(number, "(FLAGS BODY[HEADER.FIELDS (FROM SUBJECT DATE)])")
            time.sleep(rng.uniform(0.02, 0.4))
            box.fetch(number, "(RFC822)")
            if rng.random() < 0.3:
                box.store(number, "+FLAGS", "\\Deleted")
        if rng.random() < 0.3:
            box.expunge()
        if rng.random() < 0.2:
            box.list()
    finally:
        box.logout()
        session.note(start, "imap", "mail", 143, outcome, plan.BY_NAME["mail"].v4[0], local)
    if rng.random() < 0.75 and person.sleep(rng.uniform(1.0, 3.0)):
        host = office_name("portal") if rng.random() < 0.7 else "news.example"
        session.curl([f"https://{host}/{page_of(rng)}"])


def send_mail(session: Session, rng: random.Random) -> None:
    """Send a letter: to colleagues, or to the partner, to whom postfix then opens a connection."""
    person = session.person
    outside = rng.random() < 0.35
    domain = "partner.example" if outside else plan.DOMAIN
    to = [f"{rng.choice(['sales', 'support', 'orders'] if outside else plan.USERS)}@{domain}"]
    if rng.random() < 0.2:
        to.append(f"{rng.choice(plan.USERS)}@{plan.DOMAIN}")
    if rng.random() < 0.07 and not outside:
        to.append(f"nobody-{rng.randrange(99)}@{plan.DOMAIN}")
    body = prose(rng, min(9000, int(rng.lognormvariate(6.8, 0.8))))
    if rng.random() < 0.06:
        body += base64.encodebytes(rng.randbytes(rng.randint(2000, 12000))).decode()
    sender = f"{person.user}@{plan.DOMAIN}"
    text = f"From: {sender}\r\nTo: {', '.join(to)}\r\nSubject: {prose(rng, 20).strip()}\r\n\r\n" + body.replace(
        "\n", "\r\n"
    )
    start, outcome, local = time.time(), "ok", 0
    try:
        with smtplib.SMTP(office_name("mail"), 25, local_hostname=office_name(person.host), timeout=20) as smtp:
            local = smtp.sock.getsockname()[1]
            if int(person.host[2:]) % 4 == 0:
                smtp.starttls(context=ssl.create_default_context(cafile=f"{person.tmp}/tls/ca.pem"))
            outcome = "some-refused" if smtp.sendmail(sender, to, text) else "ok"
    except smtplib.SMTPRecipientsRefused:
        outcome = "all-refused"
    session.note(start, "smtp-outside" if outside else "smtp", "mail", 25, outcome, plan.BY_NAME["mail"].v4[0], local)


def use_proxy(session: Session, rng: random.Random) -> None:
    """Ask the proxy for a page; the proxy looks the name up and opens the second connection."""
    site = rng.choice(["shop.example", "search.example", "blog.example", "weather.example"])
    scheme = rng.choice(["http", "https"])
    session.curl([f"{scheme}://{site}/{page_of(rng)}"], "-x", f"http://{office_name('proxy')}:3128")


def type_in_shell(session: Session, rng: random.Random, login: list[str], env: dict[str, str]) -> None:
    """Log in to `files` with the real ssh, type commands with pauses, sometimes send a file."""
    person = session.person
    start = time.time()
    shell = subprocess.Popen(
        [
            "ssh",
            "-F",
            f"{person.tmp}/ssh/client_config",
            *login,
            f"{person.user}@{office_name('files')}",
            "sh",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**person.env, **env},
    )
    try:
        for _ in range(rng.randint(1, 5)):
            time.sleep(rng.lognormvariate(-0.3, 0.7))
            line = rng.choice(["ls -l", "cat notes.txt", "wc report.txt", "date", "cat report.txt", "id", "save"])
            if line == "save":
                line = f"cat > todo.txt <<END\n{prose(rng, rng.randint(300, 6000))}END"
            shell.stdin.write(f"{line}\n".encode())
            shell.stdin.flush()
        shell.stdin.write(b"exit\n")
        shell.stdin.close()
    except BrokenPipeError:
        pass
    code = shell.wait(timeout=60)
    session.note(start, "ssh", "files", 22, "ok" if code == 0 else f"exit-{code}", plan.BY_NAME["files"].v4[0])


def ssh_key(session: Session, rng: random.Random) -> None:
    """Log in with a key; now and then with another one's key, which is refused."""
    person = session.person
    owner = person.user if rng.random() > 0.07 else rng.choice(plan.USERS)
    type_in_shell(
        session,
        rng,
        ["-i", f"{person.tmp}/ssh/{owner}", "-o", "GSSAPIAuthentication=no", "-o", "IdentitiesOnly=yes"],
        {},
    )


def ssh_kerberos(session: Session, rng: random.Random) -> None:
    """Get a Kerberos ticket (now and then after a wrong password), then log in with it."""
    person = session.person
    conf = "krb5-tcp.conf" if int(person.host[2:]) % 2 == 0 else "krb5.conf"
    env = {"KRB5_CONFIG": f"{person.tmp}/krb5/{conf}", "KRB5CCNAME": f"FILE:{person.tmp}/cc-{session.id}"}
    if rng.random() < 0.07:
        session.command("kinit", "kdc", 88, ["kinit", person.user], "mistyped\n", **env)
        time.sleep(rng.uniform(1.0, 2.0))
    session.command("kinit", "kdc", 88, ["kinit", person.user], plan.PASSWORD + "\n", **env)
    time.sleep(rng.uniform(0.2, 0.8))
    type_in_shell(
        session,
        rng,
        ["-o", "GSSAPIAuthentication=yes", "-o", "PreferredAuthentications=gssapi-with-mic"],
        env,
    )


def updates(session: Session, rng: random.Random) -> None:
    """Ask for the newest version, as programs do, with Python's own HTTPS client."""
    context = ssl.create_default_context(cafile=f"{session.person.tmp}/tls/ca.pem")
    start = time.time()
    link = http.client.HTTPSConnection("updates.example", timeout=20, context=context)
    link.connect()
    local, address = link.sock.getsockname()[1], link.sock.getpeername()[0]
    link.request("GET", "/manifest.json", headers={"User-Agent": "office-updater/1.0"})
    status = link.getresponse().status
    link.close()
    session.note(start, "update-check", "updates.example", 443, str(status), address, local)


def odd_lookups(session: Session, rng: random.Random) -> None:
    """Look up a name that does not exist, or the name behind an address."""
    start = time.time()
    if rng.random() < 0.5:
        name, action = f"{rng.choice(plan.USERS)}-{rng.randrange(50)}.example", "lookup"
        call: Callable[[], object] = lambda: socket.getaddrinfo(name, 80)  # noqa: E731
    else:
        name, action = rng.choice(plan.SERVERS).v4[0], "reverse-lookup"
        call = lambda: socket.gethostbyaddr(name)  # noqa: E731
    try:
        call()
        outcome = "ok"
    except OSError:
        outcome = "no-such-name"
    session.note(start, action, name, 53, outcome)


def print_page(session: Session, rng: random.Random) -> None:
    """Try the ports of a printer that is switched on but serves nothing: all are closed."""
    for port in (9100, 631, 515)[: rng.randint(1, 3)]:
        session.connect(office_name("printer"), port, 3.0)
        time.sleep(rng.uniform(0.2, 0.6))


def backup(session: Session, rng: random.Random) -> None:
    """Try the backup server, which never answers."""
    session.connect(office_name("backup"), rng.choice([445, 445, 873]), rng.uniform(2.0, 7.5))


def syslog(session: Session, rng: random.Random) -> None:
    """Send a log line to a closed UDP port: the answer is an ICMP message."""
    start = time.time()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"<13>" + prose(rng, 60).encode(), (plan.BY_NAME["printer"].v4[0], 514))
    session.note(start, "syslog", "printer", 514, "sent")


def ping(session: Session, rng: random.Random) -> None:
    """Ping something, over IPv6 where the name has such an address."""
    target = rng.choice([office_name("web"), office_name("mail"), "news.example", "shop.example"])
    session.command("ping", target, 0, ["ping", "-n", "-c", str(rng.randint(1, 4)), "-i", "0.5", target])


def redis_report(session: Session, rng: random.Random) -> None:
    """Ask redis directly and a few times over, as a person who writes a report does."""
    # Commands as arguments: fed over its standard input, redis-cli first loads the help of every command.
    session.command(
        "redis-cli",
        "db",
        6379,
        [
            "redis-cli",
            "-h",
            office_name("db"),
            "-r",
            str(rng.randint(1, 4)),
            "-i",
            "0.2",
            "GET",
            f"visits:{rng.choice(plan.USERS)}",
        ],
    )


# -- habits of machines ----------------------------------------------------------------------------------


def publish(session: Session, rng: random.Random) -> None:
    """Publish a reading with the real mosquitto_pub: connect, publish, disconnect."""
    host = session.person.host
    reading = json.dumps({"t": round(rng.gauss(21, 2), 2), "h": round(rng.gauss(45, 6), 1), "sensor": host})
    session.command(
        "publish",
        "mqtt",
        1883,
        [
            "mosquitto_pub",
            "-h",
            office_name("mqtt"),
            "-t",
            f"office/{host}/climate",
            "-q",
            str(rng.choice([0, 1, 1, 2])),
            "-m",
            reading,
        ],
    )


def watch(person: Person) -> None:
    """Keep a subscription open for the whole recording (keep-alive every 30 s)."""
    session = Session(person, "mqtt_watch", 1)
    session.note(time.time(), "subscribe", "mqtt", 1883, "started")
    subprocess.run(
        ["mosquitto_sub", "-h", office_name("mqtt"), "-k", "30", "-t", "office/#", "-q", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def beacon(person: Person) -> None:
    """Call an outside machine every 30 s, give or take 1.5 s, by its address and without any lookup."""
    rng = random.Random(f"{person.seed}/beacon")
    due, number = time.time() + 9.0, 0
    while person.sleep(due + rng.uniform(-1.5, 1.5) - time.time()):
        number += 1
        Session(person, "beacon", number).curl([f"https://198.51.100.66/ping?n={number}"], "-k", "--http1.1")
        due += 30.0


def scan(person: Person) -> None:
    """Scan many ports of one machine at 40 % of the time, then port 22 of many at 70 %."""
    rng = random.Random(f"{person.seed}/scan")
    person.sleep(person.begin + 0.4 * (person.end - person.begin) - time.time())
    session, target = Session(person, "scan_ports", 1), plan.BY_NAME["files"].v4[0]
    ports = [*rng.sample(range(1, 10000), 240), 21, 22, 23, 25, 80, 110, 139, 443, 445, 3389]
    rng.shuffle(ports)
    for port in ports:
        session.connect(target, port, 0.5)
        time.sleep(rng.uniform(0.01, 0.06))
    person.sleep(person.begin + 0.7 * (person.end - person.begin) - time.time())
    session = Session(person, "scan_hosts", 1)
    for last in [*range(1, 25), 40, 41]:
        session.connect(f"{plan.LAN4}.0.{last}", 22, 0.4)
        time.sleep(rng.uniform(0.05, 0.2))


def assign(person: Person) -> None:
    """Give a host its habits."""
    host = person.host
    if host.startswith("sensor"):
        person.habit("publish", 25, publish, spread=0.2)
        return
    if host == "scanner":
        person.start(lambda: scan(person))
        return
    for behaviour, mean, act in (
        ("browse", 65, browse),
        ("browse_plain", 75, browse_plain),
        ("app", 80, use_app),
        ("mail_check", 95, check_mail),
        ("send_mail", 110, send_mail),
        ("updates", 200, updates),
        ("odd_lookups", 110, odd_lookups),
        ("print", 190, print_page),
        ("backup", 200, backup),
        ("syslog", 260, syslog),
        ("ping", 300, ping),
    ):
        person.habit(behaviour, mean, act)
    for hosts, behaviour, mean, act in (
        (("ws02", "ws04", "ws08"), "proxy", 30, use_proxy),
        (("ws01", "ws03", "ws06", "ws07", "ws09"), "krb_ssh", 120, ssh_kerberos),
        (("ws02", "ws04", "ws05", "ws08", "ws10"), "ssh_key", 120, ssh_key),
        (("ws01", "ws04", "ws06", "ws09"), "krb_app", 130, kerberos_app),
        (("ws01", "ws02", "ws03", "ws04", "ws05", "ws06"), "branch_web", 65, use_branch),
        (("ws03", "ws06"), "redis_report", 90, redis_report),
    ):
        if host in hosts:
            person.habit(behaviour, mean, act)
    if host in ("ws01", "ws06"):
        person.start(lambda: watch(person))
    if host == "ws05":
        person.start(lambda: beacon(person))


def main() -> None:
    """Live as one host until the end of the recording."""
    person = Person(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
    person.sleep(person.begin - time.time())
    assign(person)
    person.sleep(person.end - time.time())
    time.sleep(8)  # let what has begun come to its end, then leave without waiting for the rest


if __name__ == "__main__":
    main()
