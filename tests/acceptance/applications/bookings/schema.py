"""Bring the tables up to date."""

import os

import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("create table if not exists booking(id bigserial primary key, token text not null)")
    connection.execute("create table if not exists confirmed(booking bigint primary key references booking)")
