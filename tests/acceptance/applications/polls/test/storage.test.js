const { open } = require("../src/storage");

test("votes are counted by choice", () => {
  const storage = open(":memory:");
  storage.vote("tea");
  storage.vote("tea");
  storage.vote("coffee");
  expect(storage.counts()).toEqual({ tea: 2, coffee: 1 });
});

describe("an empty poll", () => {
  test("has no counts", () => expect(open(":memory:").counts()).toEqual({}));
});
