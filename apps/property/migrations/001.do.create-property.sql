-- Cities are compared byte by byte, as the cache's tags are.
CREATE TABLE property (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title VARCHAR(200) NOT NULL,
  description TEXT NOT NULL,
  city VARCHAR(80) COLLATE utf8mb4_0900_bin NOT NULL,
  kind VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  price INT UNSIGNED NOT NULL,
  bedrooms TINYINT UNSIGNED NOT NULL,
  area INT UNSIGNED NOT NULL,
  version INT UNSIGNED NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  -- By price, with the id that makes places in the order unique, and what else a list filters by.
  INDEX by_city_kind_price (city, kind, price, id, bedrooms),
  INDEX by_city_price (city, price, id, bedrooms),
  INDEX by_kind_price (kind, price, id, bedrooms),
  INDEX by_price (price, id, bedrooms),
  -- Newest first: the primary key follows by itself.
  INDEX by_city (city)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
