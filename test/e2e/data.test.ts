import { afterAll, beforeAll, describe } from "vitest";
import { propertyPaths } from "../../loadtests/shared";
import { host, labHosts, network } from "../../model/addresses";
import { DataStack } from "../support/dataStack";
import { Figures } from "../support/figures";
import { balancers } from "./data/balancers";
import { cacheFaults } from "./data/cacheFaults";
import { changes } from "./data/changes";
import { databaseFaults } from "./data/databaseFaults";
import { requests } from "./data/requests";
import { restores } from "./data/restores";
import { hostileClients } from "./security/hostileClients";
import { intruders } from "./security/intruders";
import { portScan } from "./security/portScan";
import { secrets } from "./security/secrets";
import { tlsListeners } from "./security/tlsListeners";

const rows = 100_000;
const lab = "10.85.0.0/24";
const data = new DataStack("data", lab, new Figures("data"), {
  // This computer alone is the operator: machines have no business with each other's SSH.
  machines: { network: lab, adminNetworks: [`${host(network(lab), labHosts.gateway)}/32`] },
});

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

  describe("that is attacked", () => {
    secrets(data);
    tlsListeners(data);
    portScan(data);
    intruders(data);
    hostileClients(data, lab, propertyPaths);
  });

  describe("under 200 requests a second, reads and writes", () => {
    beforeAll(async () => {
      // Without the limits of the tests before, which an update each takes away.
      data.stack.configure({});
      await data.stack.mustUp();
      await data.startLoad(propertyPaths);
    });

    databaseFaults(data);
    balancers(data);
    cacheFaults(data);
    changes(data);
    restores(data);
  });
});
