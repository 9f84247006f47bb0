"""A host of the recording that acts: its sessions, its log of what it did, and its waits between."""

from __future__ import annotations

import csv
import http.client
import imaplib
import math
import random
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from recorder import plan

FIELDS = [
    "time",
    "duration",
    "client",
    "session",
    "behaviour",
    "step",
    "action",
    "target",
    "port",
    "address",
    "local_port",
    "outcome",
]

# What a broken connection may raise in the client libraries (those of smtplib are kinds of OSError).
BROKEN = (OSError, EOFError, imaplib.IMAP4.error, http.client.HTTPException, subprocess.SubprocessError)


def office_name(host: str) -> str:
    """Return the DNS name of a machine of the office."""
    return f"{host}.{plan.DOMAIN}"


class Session:
    """One run of a habit, whose steps are written to the truth file.

    Parameters
    ----------
    person : Person
        Who does it.
    behaviour : str
        Name of the habit.
    number : int
        Serial number of the run at this host.
    """

    def __init__(self, person: Person, behaviour: str, number: int) -> None:
        self.person, self.behaviour = person, behaviour
        self.id = f"{person.host}-{behaviour}-{number}"
        self.steps = 0

    def note(
        self,
        start: float,
        action: str,
        target: str,
        port: int,
        outcome: str,
        address: str = "",
        local_port: int | str = "",
    ) -> None:
        """Write down one step that began at `start` and has just ended."""
        self.steps += 1
        self.person.write(
            [
                f"{start:.6f}",
                f"{time.time() - start:.6f}",
                self.person.host,
                self.id,
                self.behaviour,
                self.steps,
                action,
                target,
                port,
                address,
                local_port,
                outcome,
            ]
        )

    def curl(self, urls: list[str], *options: str) -> str:
        """Fetch some addresses over one connection with the real curl; return the last status."""
        parts = urllib.parse.urlsplit(urls[0])
        command = [
            "curl",
            "-sS",
            "--max-time",
            "25",
            "--cacert",
            f"{self.person.tmp}/tls/ca.pem",
            "-w",
            "%{remote_ip} %{local_port} %{http_code}\n",
            *options,
        ]
        for url in urls:
            command += ["-o", "/dev/null", url]
        start = time.time()
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        lines = [line.split() for line in done.stdout.splitlines()]
        known = [line for line in lines if len(line) == 3]
        address, local_port, _ = known[0] if known else ("", "", "")
        status = known[-1][2] if known else f"curl-{done.returncode}"
        self.note(
            start,
            f"get*{len(urls)}",
            parts.hostname or "",
            parts.port or (443 if parts.scheme == "https" else 80),
            status,
            address,
            local_port,
        )
        return status

    def connect(self, host: str, port: int, timeout: float) -> str:
        """Try to open a TCP connection and close it at once."""
        start = time.time()
        try:
            with socket.create_connection((host, port), timeout=timeout) as sock:
                address, local = sock.getpeername()[0], sock.getsockname()[1]
                outcome = "open"
        except ConnectionRefusedError:
            address, local, outcome = "", "", "refused"
        except OSError as error:
            address, local, outcome = "", "", "silent" if isinstance(error, TimeoutError) else "unreachable"
        self.note(start, "connect", host, port, outcome, address, local)
        return outcome

    def command(
        self, action: str, target: str, port: int, words: list[str], text: str | None = None, **env: str
    ) -> int:
        """Run a client program and write down its exit code."""
        start = time.time()
        done = subprocess.run(
            words, input=text, capture_output=True, text=True, timeout=60, env={**self.person.env, **env}
        )
        outcome = "ok" if done.returncode == 0 else f"exit-{done.returncode}"
        self.note(start, action, target, port, outcome)
        return done.returncode


class Person:
    """A host with its habits.

    Parameters
    ----------
    host : str
        Name of the host in `recorder.plan`.
    config : dict
        Paths, seed, begin and end of the recording.
    """

    def __init__(self, host: str, config: dict) -> None:
        self.host, self.tmp, self.env = host, config["tmp"], config["env"]
        self.begin, self.end, self.seed = config["begin"], config["end"], config["seed"]
        self.user = plan.user_of(host) if host.startswith("ws") else ""
        self.lock = threading.Lock()
        self.file = (Path(self.tmp) / f"truth-{host}.csv").open("w", newline="")
        self.csv = csv.writer(self.file)
        self.threads: list[threading.Thread] = []

    def write(self, row: list) -> None:
        """Append one row to the truth file of this host."""
        with self.lock:
            self.csv.writerow(row)
            self.file.flush()

    def intensity(self) -> float:
        """Return how busy the office is now: two busy and two quiet times over the recording, around 1."""
        return 1.0 + 0.55 * math.sin(4 * math.pi * (time.time() - self.begin) / (self.end - self.begin))

    def sleep(self, seconds: float) -> bool:
        """Wait, but not over the end of the recording; False if it has come."""
        left = self.end - time.time()
        time.sleep(max(0.0, min(seconds, left)))
        return seconds < left

    def habit(
        self, behaviour: str, mean: float, act: Callable[[Session, random.Random], None], spread: float = 0.9
    ) -> None:
        """Start a thread that acts again and again, `mean` seconds apart, with log-normal waits.

        Parameters
        ----------
        behaviour : str
            Name written in the truth file.
        mean : float
            Mean wait between two runs, in seconds, at intensity 1.
        act : callable
            Does it; gets the session and a random generator of its own.
        spread : float
            Sigma of the logarithm of the wait.
        """
        rng = random.Random(f"{self.seed}/{self.host}/{behaviour}")

        def loop() -> None:
            number = 0
            wait = rng.random() * mean
            while self.sleep(wait):
                number += 1
                session = Session(self, behaviour, number)
                try:
                    act(session, rng)
                except BROKEN as error:  # a broken connection must not end the habit
                    session.note(time.time(), "error", "", 0, f"{type(error).__name__}: {error}"[:80])
                wait = rng.lognormvariate(math.log(mean) - spread**2 / 2, spread) / self.intensity()

        self.start(loop)

    def start(self, target: Callable[[], None]) -> None:
        """Start a thread that the end of the recording need not wait for."""
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        self.threads.append(thread)
