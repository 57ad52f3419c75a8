import { writeWhole } from "../io";
import * as paths from "./paths";

/** An address where the database is offered. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Text of an option file of MySQL's programs. */
export function optionFile(user: string, password: string): string {
  return [
    "[client]",
    `user="${user}"`,
    `password="${password.replaceAll(/[\\"]/g, "\\$&")}"`,
    `ssl-ca="${paths.authorityFile}"`,
    "ssl-mode=VERIFY_IDENTITY",
    "",
  ].join("\n");
}

/** Writes an account's option file, in memory; returns its path. */
export function writeOptionFile(user: string, password: string): string {
  const file = `${paths.runFolder}/${user}.cnf`;
  writeWhole(file, optionFile(user, password));
  return file;
}

/** First arguments of every one of MySQL's programs. */
export function connectionArguments(file: string, { host, port }: Endpoint): string[] {
  return [`--defaults-file=${file}`, `--host=${host}`, `--port=${port}`];
}
