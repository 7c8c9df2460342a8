"""Tests that are told as sentences, and one for each of several things."""

import unittest

import pyarrow as pa

from .plain import plain_rows


def for_each(things, name=lambda thing: thing.name):
    """The test takes a thing; each makes a test of its own."""

    def mark(test):
        test.cases = [(name(thing), thing) for thing in things]
        return test

    return mark


class Case(unittest.TestCase):
    maxDiff = 4_000

    def __init_subclass__(cls):
        for test in [value for value in vars(cls).values() if hasattr(value, "cases")]:
            delattr(cls, test.__name__)
            for case, thing in test.cases:

                def method(self, test=test, thing=thing):
                    test(self, thing)

                method.sentence = f"{_sentence(test.__name__)} [{case}]"
                setattr(cls, f"{test.__name__} [{case}]", method)

    def __str__(self):
        method = getattr(self, self._testMethodName)
        return getattr(method, "sentence", _sentence(self._testMethodName))

    def assert_answer(self, reader, answer, expected: pa.Table):
        """The rows are those expected, in their order; system columns that are not expected may stand beside."""
        rows = reader.rows(answer.body, expected.schema)
        self.assertEqual(answer.rows, len(rows), "Sluice-Rows counts the rows")
        self.assert_rows(reader.name, rows, plain_rows(expected))

    def assert_rows(self, reader, rows, expected):
        names = set(expected[0]) if expected else set()
        rows = [{name: value for name, value in row.items() if name in names or not name.startswith("__")} for row in rows]
        self.assertEqual(rows, expected, reader)
        self.assertEqual([list(row) for row in rows], [list(row) for row in expected], f"columns are in order: {reader}")


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")
