"""A certificate authority and one server certificate, made by openssl for one run of the suite."""

import subprocess

NAMES = "IP:127.0.0.1,DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost"


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)


class Authority:
    """`ca` is what clients trust; `certificate` and `key` are the server's; `both` is these two in one file."""

    def __init__(self, directory):
        self.ca = directory / "ca.pem"
        self.key = directory / "server.key"
        self.certificate = directory / "server.pem"
        self.both = directory / "server-both.pem"
        ca_key, request, extensions = directory / "ca.key", directory / "server.csr", directory / "server.ext"
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl(
            "req",
            "-x509",
            *new_key,
            "-keyout",
            ca_key,
            "-out",
            self.ca,
            "-days",
            7,
            "-subj",
            "/CN=S3Gateway test CA",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        )
        openssl("req", *new_key, "-keyout", self.key, "-out", request, "-subj", "/CN=s3.localhost")
        extensions.write_text(
            f"subjectAltName={NAMES}\nbasicConstraints=CA:FALSE\n"
            "authorityKeyIdentifier=keyid\nextendedKeyUsage=serverAuth\n"
        )
        openssl(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.ca,
            "-CAkey",
            ca_key,
            "-CAcreateserial",
            "-out",
            self.certificate,
            "-days",
            7,
            "-extfile",
            extensions,
        )
        self.both.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
