"""What a node of a cluster says of itself. Sent to nodes as it stands here, so it imports nothing of this program."""

from typing import Any


def facts_of_this_node(
    shared_dir: str | None, nonce: str, store: tuple[str, str, dict[str, str]] | None = None
) -> dict[str, Any]:
    """Looks at the machine that this runs on.

    Args:
        shared_dir: A folder where the driver has left a file with `nonce`; None to leave it out.
        nonce: Names that file.
        store: Scheme (s3 or gs), bucket with folder, and options of Arrow's file system of an object store; None to
            leave it out.

    Returns:
        Its clock (seconds since 1970), host name, versions (None where something is missing), the folder of each of
        the four packages, the GPUs that torch sees, and what is wrong with the shared folder and with the object
        store, "" for nothing.
    """
    import importlib.metadata  # noqa: PLC0415  (runs elsewhere)
    import importlib.util  # noqa: PLC0415
    import platform  # noqa: PLC0415
    import socket  # noqa: PLC0415
    import time  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    def version(name: str) -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    def place(package: str) -> str | None:
        spec = importlib.util.find_spec(package)
        return str(Path(spec.origin).parent.parent) if spec is not None and spec.origin else None

    def wrong_with(folder: str) -> str:
        try:
            if (Path(folder) / f".check-{nonce}").read_text() != nonce:
                return "holds a different file from the one that the driver wrote"
            (Path(folder) / f".check-{nonce}-{socket.gethostname()}").write_text(nonce)
        except OSError as error:
            return f"cannot be used ({error.strerror}: {error.filename})"
        return ""

    def wrong_with_store(scheme: str, path: str, options: dict[str, str]) -> str:
        name = f"{path}/.check-{nonce}-{socket.gethostname()}"
        try:
            from pyarrow.fs import GcsFileSystem, S3FileSystem  # noqa: PLC0415

            anonymous = {"anonymous": options.pop("anonymous") == "true"} if "anonymous" in options else {}
            files = S3FileSystem(**options) if scheme == "s3" else GcsFileSystem(**options, **anonymous)
            with files.open_output_stream(name) as out:
                out.write(nonce.encode())
            with files.open_input_stream(name) as content:
                said = content.read().decode()
            files.delete_file(name)
        except (ImportError, OSError) as error:
            return f"cannot be used ({' '.join(str(error).split())})"
        return "" if said == nonce else "returns different content from what was written"

    try:
        import torch  # noqa: PLC0415

        gpus = torch.cuda.device_count()
    except ImportError:
        gpus = 0
    return {
        "host": socket.gethostname(),
        "antisample": version("antisample"),
        "python": platform.python_version(),
        "torch": version("torch"),
        "ray": version("ray"),
        "places": {name: place(name) for name in ("antisample", "search_spaces", "tuning", "cluster")},
        "gpus": gpus,
        "shared": wrong_with(shared_dir) if shared_dir is not None else "",
        "store": wrong_with_store(*store) if store is not None else "",
        "time": time.time(),
    }
