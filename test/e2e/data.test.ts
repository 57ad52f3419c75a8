import { afterAll, beforeAll, describe } from "vitest";
import { propertyPaths } from "../../loadtests/shared";
import { DataStack } from "../support/dataStack";
import { Figures } from "../support/figures";
import { balancers } from "./data/balancers";
import { cacheFaults } from "./data/cacheFaults";
import { changes } from "./data/changes";
import { databaseFaults } from "./data/databaseFaults";
import { requests } from "./data/requests";
import { restores } from "./data/restores";

const rows = 100_000;
const data = new DataStack("data", "10.85.0.0/24", new Figures("data"));

describe("a live stack with a database and a cache", () => {
  beforeAll(async () => {
    await data.up();
    await data.seed(rows);
  });

  afterAll(async () => {
    console.log(`figures written to ${data.figures.write()}`);
    await data.down();
  });

  describe("at rest", () => {
    requests(data);
  });

  describe("under 200 requests a second, reads and writes", () => {
    beforeAll(async () => {
      await data.startLoad(propertyPaths);
    });

    databaseFaults(data);
    balancers(data);
    cacheFaults(data);
    changes(data);
    restores(data);
  });
});
