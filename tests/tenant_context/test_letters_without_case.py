"""Mail addresses in alphabets where a small letter has two forms: their case is none either."""

import pytest

from tenant_context.wire import mail_address


@pytest.mark.parametrize("name", ["\u03bf\u03b4\u03bf\u03c3", "\u03c3\u03c3", "\u03b1\u03c3.\u03b2"], ids=ascii)
def test_a_small_letter_of_two_forms_has_no_case(name: str) -> None:
    """Sigma: where a word ends, its capital is made the small letter of an end, which was not typed."""
    address = f"{name}@x.example"
    assert mail_address(address.upper()) == mail_address(address)
