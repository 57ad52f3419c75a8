export type Readiness = "unverified" | "outdated" | "ready" | "draining";

export interface ReadinessState {
  readonly status: Readiness;
  /** HTTP status of `/readyz`. */
  readonly code: number;
  readonly detail?: string;
}

/**
 * Whether this node takes requests. It becomes ready once the schema of the database has been seen
 * to be new enough; after that no database and no cache has a say in it, so that their outage does
 * not take the application out of service.
 */
export class ReadinessGate {
  private current: ReadinessState = {
    status: "unverified",
    code: 503,
    detail: "the database's schema has not been seen yet",
  };

  state(): ReadinessState {
    return this.current;
  }

  get draining(): boolean {
    return this.current.status === "draining";
  }

  outdated(detail: string): void {
    if (!this.draining) this.current = { status: "outdated", code: 503, detail };
  }

  ready(): void {
    if (!this.draining) this.current = { status: "ready", code: 200 };
  }

  drain(): void {
    // 404 and not 503: HAProxy's disable-on-404 then sends nothing new here, yet does not count the
    // node as failed and lets it finish what it holds.
    this.current = { status: "draining", code: 404 };
  }
}
