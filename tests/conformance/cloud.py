"""The simulator over https, with a certificate authority of its own, for as long as the suite runs."""

import datetime
import ipaddress
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SUBSCRIPTIONS = 12
USERS = 250
GROUPS = 40
RESOURCES = 12_000  # So many that lists have several pages.


@dataclass(frozen=True)
class Cloud:
    """How to reach the simulated cloud as an app that owns everything in it."""

    url: str
    authority_file: str
    tenant: str
    other_tenant: str
    client_id: str
    client_secret: str
    settings: dict  # What a Tenantry needs to know of it.
    folder: Path
    _process: subprocess.Popen

    @classmethod
    def start(cls):
        folder = Path(tempfile.mkdtemp(prefix="tenantry-conformance."))
        write_certificates(folder)
        # In its folder, by which tests/run finds it if this process is killed.
        process = subprocess.Popen(
            [os.path.abspath(os.environ["TENANTRY_BINARY"]), "simulate", "--listen", "127.0.0.1:0",
             "--subscriptions", str(SUBSCRIPTIONS), "--resources", str(RESOURCES),
             "--users", str(USERS), "--groups", str(GROUPS),
             "--tls-certificate", folder / "chain.pem", "--tls-key", folder / "key.pem"],
            cwd=folder, env=os.environ | {"TENANTRY_LOG": "warn"}, stdout=subprocess.PIPE, text=True)
        said, settings = {}, {}
        for line in process.stdout:
            if setting := re.search(r"^(MICROSOFT_\w+)=(\S+)$", line):
                settings[setting[1]] = setting[2]
            if found := re.search(r" listens at (\S+)|^(tenant|another tenant|automation(?:'s secret)?) +(\S+)$", line):
                said[found[2] or "url"] = found[1] or found[3]
            if "automation's secret" in said:
                break
        else:
            shutil.rmtree(folder)
            raise RuntimeError(f"the simulator ended with {process.wait()}")
        return cls(said["url"], str(folder / "authority.pem"), said["tenant"], said["another tenant"],
                   said["automation"], said["automation's secret"], settings, folder, process)

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        shutil.rmtree(self.folder)


def write_certificates(folder):
    """A certificate authority that nobody else trusts, and its certificate for this machine."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the conformance suite")])
    authority = certificate(authority_name, authority_key, authority_name, authority_key, [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (key_usage(key_cert_sign=True, crl_sign=True), True),
    ])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    own_names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    own = certificate(name, key, authority_name, authority_key, [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName(own_names), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False),
    ])
    authority_pem, own_pem = (one.public_bytes(serialization.Encoding.PEM) for one in (authority, own))
    (folder / "authority.pem").write_bytes(authority_pem)
    (folder / "chain.pem").write_bytes(own_pem + authority_pem)
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def certificate(name, key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def key_usage(**wanted):
    every = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{use: wanted.get(use, False) for use in every})
