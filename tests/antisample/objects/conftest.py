"""Files with the same images as the objects."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image


@pytest.fixture
def write_parquet():
    def write(path, images, labels):
        encoded = []
        for image in images:
            content = io.BytesIO()
            Image.fromarray(image).save(content, "PNG")
            encoded.append({"bytes": content.getvalue(), "path": None})
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        pq.write_table(pa.table({"image": pa.array(encoded, kind), "label": pa.array(labels)}), path)

    return write
