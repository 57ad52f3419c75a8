CREATE TABLE idempotency (
  idempotency_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  request_hash BINARY(32) NOT NULL,
  -- Set in the same transaction, once the work is done.
  status SMALLINT UNSIGNED NULL,
  response TEXT NULL,
  expires_at DATETIME(3) NOT NULL,
  INDEX by_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
