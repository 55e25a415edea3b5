from tests.core.cqrs.conftest import _declarations_of_the_test_alone, logs

__all__ = ["_declarations_of_the_test_alone", "logs"]
