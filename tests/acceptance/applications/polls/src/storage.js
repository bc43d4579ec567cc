const { DatabaseSync } = require("node:sqlite");

function open(path) {
  const database = new DatabaseSync(path);
  database.exec("create table if not exists vote(choice text not null)");
  return {
    vote: (choice) => database.prepare("insert into vote(choice) values (?)").run(choice),
    counts: () =>
      Object.fromEntries(
        database.prepare("select choice, count(*) as votes from vote group by choice").all().map((row) => [row.choice, row.votes]),
      ),
  };
}

module.exports = { open };
