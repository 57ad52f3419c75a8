import * as policy from "@pulumi/policy";
import { productionPolicies } from "./policies";

new policy.PolicyPack("holdfast", { policies: productionPolicies() });
