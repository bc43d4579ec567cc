"""Ten repositories like those that strangers have."""

from tests.delivery.discovery.corpus_mixed import GO, JAVA, MONOREPO, RAILS
from tests.delivery.discovery.corpus_node import NODE_SQLITE, PRISMA, SPLIT, WORKSPACE
from tests.delivery.discovery.corpus_python import DJANGO, FASTAPI

CORPUS = {
    "fastapi": FASTAPI,
    "node-sqlite": NODE_SQLITE,
    "monorepo": MONOREPO,
    "django": DJANGO,
    "prisma": PRISMA,
    "split": SPLIT,
    "rails": RAILS,
    "java": JAVA,
    "workspace": WORKSPACE,
    "go": GO,
}
