import os
from functools import cache

from sqlalchemy import create_engine, text


@cache
def engine():
    url = os.environ["DATABASE_URL"]
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), pool_pre_ping=True)


def is_there():
    try:
        with engine().connect() as connection:
            connection.execute(text("select count(*) from entry"))
    except Exception:
        return False
    return True


def entries():
    with engine().connect() as connection:
        return [row.text for row in connection.execute(text("select text from entry order by id"))]


def add(words):
    with engine().begin() as connection:
        return connection.execute(text("insert into entry(text) values (:t) returning id"), {"t": words}).scalar_one()
