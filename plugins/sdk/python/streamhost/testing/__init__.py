"""Runs a plugin natively: no Wasm, no host, the same bytes between.

::

    from streamhost import testing
    from plugin import keep

    def test_large_values_are_kept():
        answer = testing.bind(keep, "", "user_id INT, value DOUBLE").run('''
            {"user_id": 1, "value": 5.0}
            {"user_id": 2, "value": 50.0}
        ''')
        answer.expect('{"user_id": 2, "value": 50.0}')
        assert answer.errors == []

    def test_the_cases_pass():
        testing.cases(keep, __file__)

``python -m streamhost.testing FOLDER`` runs the cases of a plugin's folder.
"""

from .cases import cases, run_case
from .functions import bind_functions
from .keyed import Job, bind_keyed
from .sink import Stored, bind_sink
from .stateless import Answer, bind

__all__ = [
    "Answer",
    "Job",
    "Stored",
    "bind",
    "bind_functions",
    "bind_keyed",
    "bind_sink",
    "cases",
    "run_case",
]
