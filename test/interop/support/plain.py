"""
Values that compare: engines hold one value in several Arrow types (a time in s or ns, a map as a list of structs), and each
becomes one Python value here. Times are nanoseconds, floats are their digits in hexadecimal, so that NaN equals itself and
-0.0 is not 0.0, maps are lists of {key, value}.
"""

import base64
import datetime
import decimal
import re
import struct

import pyarrow as pa
from pyarrow import types

_nanoseconds = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_epoch = datetime.datetime(1970, 1, 1)


def plain_rows(table: pa.Table) -> list[dict]:
    columns = [[plain(value) for value in column] for column in table.columns]
    return [dict(zip(table.column_names, row)) for row in zip(*columns)]


def plain(value: pa.Scalar):
    kind = value.type
    if not value.is_valid:
        return None
    if types.is_timestamp(kind) or types.is_time(kind):
        return value.value * _nanoseconds[kind.unit]
    if types.is_floating(kind):
        return value.as_py().hex()
    if types.is_dictionary(kind):
        return plain(value.value)
    if types.is_map(kind):
        return [{"key": plain(entry[0]), "value": plain(entry[1])} for entry in value.values]
    if isinstance(value, pa.ListScalar):
        return [plain(element) for element in value.values]
    if types.is_struct(kind):
        return {name: plain(value[name]) for name in value}
    return value.as_py()


def plain_json(kind: pa.DataType, value):
    """A value of a JSON row, by the contract's "Values in JSON"."""
    if value is None:
        return None
    if types.is_int64(kind):
        return int(_text(value))
    if types.is_decimal(kind):
        return decimal.Decimal(_text(value))
    if types.is_float32(kind):
        return struct.unpack("f", struct.pack("f", float(value)))[0].hex()
    if types.is_floating(kind):
        return float(value).hex()
    if types.is_binary(kind):
        return base64.b64decode(_text(value), validate=True)
    if types.is_date(kind):
        return datetime.date.fromisoformat(value)
    if types.is_time(kind):
        return _moment(f"1970-01-01T{value}")
    if types.is_timestamp(kind):
        if (kind.tz is not None) != value.endswith("Z"):
            raise AssertionError(f"{value} of {kind}: only a time with a zone ends with Z")
        return _moment(value.removesuffix("Z"))
    if types.is_map(kind):
        entries = [(plain_json(kind.key_type, key), plain_json(kind.item_type, item)) for key, item in value]
        return [{"key": key, "value": item} for key, item in entries]
    if types.is_list(kind) or types.is_fixed_size_list(kind):
        return [plain_json(kind.value_type, element) for element in value]
    if types.is_struct(kind):
        return {field.name: plain_json(field.type, value[field.name]) for field in kind}
    return value


def _text(value) -> str:
    if not isinstance(value, str):
        raise AssertionError(f"{value} must be a JSON string: it may have more digits than a double")
    return value


def _moment(text: str) -> int:
    seconds, fraction = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", text).groups()
    whole = (datetime.datetime.fromisoformat(seconds) - _epoch) // datetime.timedelta(seconds=1)
    return whole * _nanoseconds["s"] + int((fraction or "").ljust(9, "0"))
