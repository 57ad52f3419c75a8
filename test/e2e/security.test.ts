import { afterAll, beforeAll, describe } from "vitest";
import { propertyPaths } from "../../loadtests/shared";
import { DataStack } from "../support/dataStack";
import { Figures } from "../support/figures";
import { hostileClients } from "./security/hostileClients";
import { intruders } from "./security/intruders";
import { rotation } from "./security/rotation";
import { secrets } from "./security/secrets";
import { tlsListeners } from "./security/tlsListeners";

const network = "10.89.0.0/24";
const data = new DataStack("security", network, new Figures("security"));

describe("a live stack that is attacked", () => {
  beforeAll(async () => {
    await data.up();
    await data.seed(1000);
  });

  afterAll(async () => {
    console.log(`figures written to ${data.figures.write()}`);
    await data.down();
  });

  secrets(data);
  tlsListeners(data);
  intruders(data);
  hostileClients(data, network, propertyPaths);
  // Last: what it writes into the stack file, no other test knows.
  rotation(data, propertyPaths);
});
