"""The column that says whose a record is, and the one rule of who sees it."""

from sqlalchemy import Column, ColumnElement, String, true

from devops_chatbot.access.principals import LOCAL, Principal


def owner_column() -> Column[str]:
    """The id of the principal whose a row is; a part of every table of records that somebody can list or open."""
    return Column("owner", String, nullable=False, index=True)


def seen_by(principal: Principal | None, owner: ColumnElement[str]) -> ColumnElement[bool]:
    """Which rows a principal sees: those it owns. None is the product itself, which sees all."""
    return true() if principal is None else owner == principal.id


def owner_of_new(principal: Principal | None) -> str:
    """Whose a new row is; what the product itself makes belongs to the local user."""
    return (principal or LOCAL).id
