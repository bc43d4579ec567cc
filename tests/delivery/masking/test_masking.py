"""What looks personal by its name, and whether a masking file can be carried out: without any server."""

import pytest

from delivery.errors import Misconfigured, Rejected
from delivery.masking.columns import Catalog, Column, ForeignKey, Sign
from delivery.masking.fitting import misfit
from delivery.masking.names import personal_name, personal_word
from delivery.masking.plan import plan_of
from delivery.masking.refusal import check_named
from delivery.spec.masking import Masking, Rule


def column(name: str, base: str = "text", table: str = "customer", **more: object) -> Column:
    return Column.model_validate(
        {"space": "public", "relation": table, "name": name, "type": base, "base": base} | more
    )


def masking(**tables: dict[str, object]) -> Masking:
    return Masking.model_validate({"tables": tables, "file": "masking.yaml"})


CATALOG = Catalog(
    columns=(
        column("id", "int8", unique=True, keyed=True, not_null=True),
        column("email", not_null=True, unique=True, keyed=True),
        column("born", "date"),
        column("shown", generated=True),
        column("customer_email", table="orders", keyed=True),
        column("state", table="orders"),
        column("email", table="archive"),
        column("scan", "bytea", table="archive"),
    ),
    foreign_keys=(
        ForeignKey(
            name="by_email",
            table="public.orders",
            columns=("customer_email",),
            referenced="public.customer",
            referenced_columns=("email",),
        ),
    ),
)
SAME = {"customer": {"columns": {"email": "hash", "born": None}}, "orders": {"columns": {"customer_email": "hash"}}}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("email", "email"),
        ("contactEmails", "contact"),
        ("HTTPUserAgent", "useragent"),
        ("first_name", "firstname"),
        ("ZIPCode", "zipcode"),
        ("date_of_birth", "birth"),
        ("account_number", "account"),
        ("client_ip", "ip"),
        ("apiKey", "apikey"),
        ("addresses", "address"),
        ("latitude", "latitude"),
        ("strasse", "strasse"),
        ("description", "description"),
        ("ship_to", ""),
        ("state", ""),
        ("recipe", ""),
        ("filename_length", ""),
    ],
)
def test_a_name_is_personal_by_a_whole_word_of_it(name: str, word: str) -> None:
    assert personal_word(name) == word


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (column("email_verified", "bool"), ""),
        (column("email_sent_at", "timestamptz"), ""),
        (column("birthday", "date"), "birthday"),
        (column("address_id", "int8", keyed=True), ""),
        (column("passport_number", "int8"), "passport"),
        (column("email", keyed=True), "email"),
    ],
)
def test_a_name_says_nothing_of_yes_and_no_of_moments_and_of_numbered_keys(found: Column, word: str) -> None:
    assert personal_name(found) == word


@pytest.mark.parametrize(
    ("found", "rule", "problem"),
    [
        (column("a"), "hash", ""),
        (column("a"), None, ""),
        (column("a", not_null=True), None, "it is NOT NULL"),
        (column("a", "int4"), "hash", "which int4 does not take; allowed: int4 takes keep, null, {fake: number}"),
        (column("a", "int4"), {"fake": "number"}, ""),
        (column("a", "date"), {"fake": "date"}, ""),
        (column("a", "date", unique=True), {"fake": "date"}, "its values are unique; allowed: null, keep"),
        (column("a", "int4", unique=True), {"fake": "number"}, "its values are unique; allowed: null, keep"),
        (column("a", "numeric", digits=10, unique=True, not_null=True), {"fake": "number"}, "unique; allowed: keep"),
        (column("a", "int8", unique=True), {"fake": "number"}, ""),
        (column("a", unique=True), {"fake": "phone"}, "its values are unique; allowed: hash, null, keep"),
        (column("a"), {"fake": "phone"}, ""),
        (column("a", "jsonb"), "empty", ""),
        (column("a", "bool"), "empty", "allowed: bool takes keep, null"),
        (column("a", "inet"), {"fake": "ip"}, ""),
        (column("a", "macaddr"), {"fake": "ip"}, "which macaddr does not take"),
        (column("a", array=True), {"fake": "email"}, ""),
        (column("a", "int4", array=True), "empty", ""),
        (column("a", "varchar", length=10), {"fake": "email"}, "needs 25 characters; varchar has 10"),
        (column("a", "varchar", length=10), "hash", ""),
        (column("a", "varchar", length=10, unique=True), "hash", "needs 16 characters"),
        (column("a", generated=True), "hash", "is generated from other columns"),
        (column("a", "int8", always=True), {"fake": "number"}, "is an identity"),
    ],
)
def test_a_rule_fits_a_column_or_it_is_told_what_does(found: Column, rule: object, problem: str) -> None:
    told = misfit(found, Rule.model_validate(rule))

    assert problem in told
    assert bool(problem) == bool(told)


def test_columns_that_refer_to_each_other_are_masked_in_the_same_way() -> None:
    plan = plan_of(masking(**SAME), CATALOG)

    assert [one.place for one in plan.masked(CATALOG)] == [
        ("public.customer", "email"),
        ("public.customer", "born"),
        ("public.orders", "customer_email"),
    ]
    assert ("public.orders", "customer_email") in plan.distinct  # it refers to what is unique


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"customer": SAME["customer"]}, "public.orders.customer_email: becomes keep, and public.customer.email"),
        ({"customer": {"truncate": True}}, "public.orders refers to it by customer_email (foreign key by_email)"),
        ({"customers": {"truncate": True}}, "tables.customers: there is no such table; allowed: public.customer"),
        ({"orders": {"columns": {"mail": "hash"}}}, "there is no such column; allowed: customer_email, state"),
    ],
)
def test_a_file_that_a_database_does_not_fit_is_told_with_what_is_allowed(
    tables: dict[str, dict[str, object]], told: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        plan_of(masking(**tables), CATALOG)

    assert told in str(refused.value)


def test_a_table_without_rows_may_be_referred_to_by_nothing_or_by_null() -> None:
    both = {"customer": {"truncate": True}, "orders": {"truncate": True}}
    assert plan_of(masking(**both), CATALOG).truncated == {"public.customer", "public.orders"}
    assert plan_of(masking(customer={"truncate": True}, orders={"columns": {"customer_email": None}}), CATALOG)


def test_a_table_that_several_schemas_have_is_named_with_its_schema() -> None:
    other = column("id").model_copy(update={"space": "old"})
    both = Catalog(columns=(column("id"), other))

    with pytest.raises(Misconfigured, match=r"is in several schemas; allowed: public\.customer, old\.customer"):
        plan_of(masking(customer={"truncate": True}), both)
    assert plan_of(masking(**{"old.customer": {"truncate": True}}), both).truncated == {"old.customer"}


def test_everything_that_looks_personal_and_is_not_named_is_told_at_once_with_what_to_write() -> None:
    file = masking(**SAME)
    seen = [
        Sign(table="public.orders", column="state", why="an IBAN", count=2),
        Sign(table="public.customer", column="email", why="an e-mail address", count=9),
        Sign(definition="comment on table orders", why="a phone number"),
    ]

    with pytest.raises(Rejected) as refused:
        check_named(plan_of(file, CATALOG), file, CATALOG, seen, what="backup b0 of production")

    assert str(refused.value) == (
        "backup b0 of production was not masked, and nothing was changed: masking.yaml does not say what becomes of\n"
        "  public.orders.state: 2 values hold an IBAN\n"
        "  public.archive.email: its name says email\n"
        "  public.archive.scan: nobody can look into bytes\n"
        "  comment on table orders: holds a phone number\n"
        "  next: write it into masking.yaml; `keep` is for what is not personal. A beginning:\n"
        "    tables:\n"
        "      public.orders:\n"
        "        columns:\n"
        "          state: hash\n"
        "      public.archive:\n"
        "        columns:\n"
        "          email: {fake: email}\n"
        "          scan: empty\n"
        "    comments: drop"
    )
    archive = {"columns": {"email": "keep", "scan": "keep"}}
    named = masking(**SAME | {"orders": {"columns": {"customer_email": "hash", "state": "keep"}}, "archive": archive})
    named = named.model_copy(update={"comments": "drop"})
    check_named(plan_of(named, CATALOG), named, CATALOG, seen, what="backup b0")
