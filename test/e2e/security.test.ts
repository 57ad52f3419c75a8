import { afterAll, beforeAll, describe } from "vitest";
import { host, labHosts, network } from "../../model/addresses";
import { propertyPaths } from "../../loadtests/shared";
import { DataStack } from "../support/dataStack";
import { Figures } from "../support/figures";
import { hostileClients } from "./security/hostileClients";
import { intruders } from "./security/intruders";
import { portScan } from "./security/portScan";
import { rotation } from "./security/rotation";
import { secrets } from "./security/secrets";
import { tlsListeners } from "./security/tlsListeners";
import { secured, tlsStages } from "./security/tlsStages";

const lab = "10.89.0.0/24";
const data = new DataStack("security", lab, new Figures("security"), {
  // This computer alone is the operator: machines have no business with each other's SSH.
  machines: { network: lab, adminNetworks: [`${host(network(lab), labHosts.gateway)}/32`] },
  ...secured("require", "require"),
});

describe("a live stack that is attacked", () => {
  beforeAll(async () => {
    await data.up();
    await data.seed(10_000);
  });

  afterAll(async () => {
    console.log(`figures written to ${data.figures.write()}`);
    await data.down();
  });

  secrets(data);
  tlsListeners(data);
  tlsStages(data, propertyPaths);
  intruders(data);
  portScan(data);
  hostileClients(data, lab, propertyPaths);
  // Last: what it writes into the stack file, no other test knows.
  rotation(data, propertyPaths);
});
