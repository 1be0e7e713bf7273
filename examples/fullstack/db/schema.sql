CREATE TABLE IF NOT EXISTS notes (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  body       text NOT NULL CHECK (length(body) BETWEEN 1 AND 2000),
  words      integer,
  created_at timestamptz NOT NULL DEFAULT now()
);
