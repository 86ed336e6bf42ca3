import plugin
from streamhost import testing


def test_the_cases_pass():
    testing.cases(plugin, __file__)
