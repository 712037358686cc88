"""Faults inside the service's process: builds tests/faults/shim.c and tells it, by the environment, what to do. The service itself knows nothing of it."""
import os
import shutil
import subprocess
import tempfile

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults", "shim.c")
POINTS = 32  # of the epoch protocol, numbered in shim.c


class Faults:
    """The shim and the files that switch it: use as a context. env() is what a service needs in its environment."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cepheid-faults-")
        self.library = os.path.join(self.folder, "shim.so")

    def __enter__(self):
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", self.library, SOURCE, "-ldl"], check=True)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def switch(self, name):
        return os.path.join(self.folder, name)

    def env(self, point=None):
        """point: "N:K", kill at the K-th passing of point N; "N:K:stop" stops there."""
        env = {"LD_PRELOAD": self.library, "CEPHEID_FAULT_FULL": self.switch("full"), "CEPHEID_FAULT_SYNC": self.switch("sync"),
               "CEPHEID_FAULT_CLOCK": self.switch("clock")}
        return dict(env, CEPHEID_FAULT_POINT=point) if point else env

    def turn(self, name, on):
        """full, sync: from now on, or no more."""
        if on:
            with open(self.switch(name), "w", encoding="utf-8"):
                pass
        elif os.path.exists(self.switch(name)):
            os.remove(self.switch(name))

    def shift_clock(self, seconds):
        with open(self.switch("clock.new"), "w", encoding="utf-8") as file:
            file.write(str(seconds))
        os.replace(self.switch("clock.new"), self.switch("clock"))
