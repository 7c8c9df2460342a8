"""A column as the contract names its type and as Arrow holds it."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    arrow: pa.DataType
    nullable: bool = True

    @property
    def field(self) -> pa.Field:
        return pa.field(self.name, self.arrow, self.nullable)


def array(element: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", element))


def vector(dimension: int) -> pa.DataType:
    return pa.list_(pa.field("element", pa.float32(), nullable=False), dimension)


def schema_of(columns) -> pa.Schema:
    return pa.schema([column.field for column in columns])


# As answers have them.
OFFSET = pa.field("__offset", pa.int64(), nullable=False)
TIMESTAMP = pa.field("__timestamp", pa.timestamp("ms", "UTC"), nullable=False)
PARTITION = pa.field("__partition", pa.string(), nullable=False)
BUCKET = pa.field("__bucket", pa.int32(), nullable=False)
