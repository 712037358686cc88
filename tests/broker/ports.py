"""Ports for servers that have to be told theirs. One that the kernel gives is anybody's again once it is closed, and the server that is to have it needs some seconds to
come up: so these lie below those that the kernel gives out (to a bind to port 0, and to each connection), and whoever takes one holds a lock on it until it ends."""
import fcntl
import os
import random
import socket
import tempfile

held = []  # locks; closed with the process


def bounds():
    """Ports that neither need a privilege nor are given out by the kernel."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            first, last = (int(word) for word in file.read().split())
    except (OSError, ValueError):
        first, last = 32768, 60999
    return (10000, first - 1) if first > 15000 else (last + 1, 65535) if last < 60000 else (10000, 65535)


def take(port):
    """True: it is free, and ours until we end."""
    folder = os.path.join(tempfile.gettempdir(), "cepheid-ports-%d" % os.getuid())
    os.makedirs(folder, mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(folder, str(port)), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as one:
            one.bind(("127.0.0.1", port))
    except OSError:
        os.close(lock)
        return False
    held.append(lock)
    return True


def free_ports(count):
    low, high = bounds()
    ports, chance = [], random.SystemRandom()
    for _ in range(2000):
        port = chance.randrange(low, high + 1)
        if port not in ports and take(port):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no %d free ports on 127.0.0.1 between %d and %d" % (count, low, high))


def unused_port():
    return free_ports(1)[0]
