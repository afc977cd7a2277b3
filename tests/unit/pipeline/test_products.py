"""What destinations ask for, and the digests that follow from it."""

import pytest

from pipeline.products import Dialect, Form, Product, by_form, wishes_digest

SERIES = Dialect(frozenset({Product.SERIES}))
PAGES = Dialect(frozenset({Product.PICTURE, Product.NOTE}))
MOVED = Dialect(frozenset({Product.SERIES}), Form(first_series_number=500))


def test_what_several_destinations_want_in_one_form_is_made_once() -> None:
    assert by_form((SERIES, PAGES, SERIES)) == {Form(): SERIES.products | PAGES.products}


def test_another_form_is_made_by_itself() -> None:
    assert by_form((SERIES, MOVED)) == {Form(): SERIES.products, MOVED.form: MOVED.products}


def test_the_usual_is_made_where_nobody_asks() -> None:
    assert by_form(()) == {Form(): Dialect().products}


@pytest.mark.parametrize("product", [Product.SR, Product.SR_ON_LABELMAP])
def test_a_report_is_not_asked_for_without_the_masks_it_goes_with(product: Product) -> None:
    with pytest.raises(ValueError, match="goes with"):
        Dialect(frozenset({product, Product.SERIES}))


def test_every_part_of_a_form_has_a_key_of_its_own() -> None:
    """And the order in which a site lists its offsets has none."""
    forms = [
        Form(),
        Form(first_series_number=1),
        Form(unicode=True),
        Form(series_number_offsets=(("a", 1), ("b", 2))),
    ]
    assert len({form.key for form in forms}) == len(forms)
    turned = Form(series_number_offsets=(("b", 2), ("a", 1)))
    assert turned.key == forms[-1].key


def test_what_is_wanted_tells_folders_apart_whoever_wants_it() -> None:
    assert wishes_digest((SERIES, PAGES)) == wishes_digest((PAGES, SERIES, SERIES))
    assert wishes_digest((SERIES,)) != wishes_digest((SERIES, PAGES))
    assert wishes_digest((SERIES,)) != wishes_digest((MOVED,))
