"""A host that one can log in to: a real SSH server on this machine's loopback, whose commands and files are its own."""

import contextlib
import os
import socket
import subprocess
import threading
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

PASSPHRASE = "open sesame"  # noqa: S105 - of keys that are made here


def make_key(path, passphrase=""):
    """An Ed25519 key as ssh-keygen writes it."""
    secret = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, secret))
    return path


def make_old_key(path, passphrase=None):
    """As older ssh-keygens wrote it, and `ssh-keygen -m PEM` does."""
    paramiko.ECDSAKey.generate().write_private_key_file(str(path), password=passphrase)
    return path


class Files(paramiko.SFTPServerInterface):
    """This machine's files."""

    def open(self, path, flags, _attr):
        mode = "r+b" if flags & (os.O_WRONLY | os.O_RDWR) else "rb"
        try:
            if flags & os.O_CREAT:
                os.close(os.open(path, flags, 0o600))
            file = Path(path).open(mode)  # noqa: SIM115 - the handle closes it
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = handle.writefile = file
        return handle

    def stat(self, path):
        return paramiko.SFTPAttributes.from_stat(Path(path).stat())

    def list_folder(self, path):
        return [paramiko.SFTPAttributes.from_stat(found.stat(), found.name) for found in Path(path).iterdir()]

    def chattr(self, path, attr):
        Path(path).chmod(attr.st_mode)
        return paramiko.SFTP_OK

    def posix_rename(self, oldpath, newpath):
        Path(oldpath).replace(newpath)
        return paramiko.SFTP_OK


class Door(paramiko.ServerInterface):
    """Who comes in, and what is done for whom. `mute` names a request that is never answered."""

    def __init__(self, host):
        self._host = host

    def check_auth_publickey(self, _username, key):
        return paramiko.AUTH_SUCCESSFUL if key in self._host.welcome else paramiko.AUTH_FAILED

    def get_allowed_auths(self, _username):
        return "publickey"

    def check_channel_request(self, _kind, _chanid):
        self._host.answer("open")
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self._host.answer("exec")
        threading.Thread(target=run_on, args=(channel, command, self._host), daemon=True).start()
        return True

    def check_channel_subsystem_request(self, channel, name):
        self._host.answer("subsystem")
        return super().check_channel_subsystem_request(channel, name)

    def check_channel_direct_tcpip_request(self, chanid, _origin, destination):
        try:
            self._host.ways[chanid] = socket.create_connection(destination, timeout=20)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        return paramiko.OPEN_SUCCEEDED


def run_on(channel, command, host):
    """As sshd does: by a shell."""
    given = channel.makefile("rb").read() if host.reads else b""
    done = subprocess.run(  # noqa: S602 - that is what a host of SSH is for
        command, shell=True, input=given, capture_output=True, check=False, timeout=60
    )
    with contextlib.suppress(OSError):  # who asked has given up
        channel.sendall(done.stdout)
        channel.sendall_stderr(done.stderr)
        channel.send_exit_status(done.returncode)
    channel.close()


class Host:
    """The server. `welcome` has the keys that open it; `mute` names requests that it never answers.

    `reads` False: its programs end without having read what they are given.
    """

    def __init__(self):
        self.key = paramiko.ECDSAKey.generate()
        self.welcome = []
        self.mute = set()
        self.reads = True
        self.ways = {}
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._transports = []
        threading.Thread(target=self._serve, daemon=True).start()

    def known_line(self):
        return f"[127.0.0.1]:{self.port} {self.key.get_name()} {self.key.get_base64()}\n"

    def answer(self, request):
        """Returns at once, or for a request that is to have no answer when the server closes."""
        if request in self.mute:
            self._over.wait()

    def close(self):
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
            self._transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, OSError, EOFError):  # who does not know the host's key goes
                transport.start_server(server=Door(self))
                threading.Thread(target=self._lead, args=(transport,), daemon=True).start()

    def _lead(self, transport):
        while transport.is_active():
            channel = transport.accept(1)
            if channel is not None and (way := self.ways.pop(channel.chanid, None)) is not None:
                threading.Thread(target=join, args=(channel, way), daemon=True).start()


def join(channel, way):
    with channel, way:
        back = threading.Thread(target=pass_on, args=(way, channel), daemon=True)
        back.start()
        pass_on(channel, way)
        back.join()


def pass_on(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
