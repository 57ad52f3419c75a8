import {
  ErrorCode,
  OpenFeature,
  StandardResolutionReasons,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
} from "@openfeature/server-sdk";

/** Feature flags of this process. */
export interface Flags {
  enabled(flag: string): Promise<boolean>;
}

/** Flags from the settings: one value for the life of a process, switched by an ordinary roll. */
class SettingsProvider implements Provider {
  readonly metadata = { name: "settings" };
  readonly runsOn = "server";

  constructor(private readonly values: Readonly<Record<string, boolean>>) {}

  async resolveBooleanEvaluation(
    flag: string,
    fallback: boolean,
  ): Promise<ResolutionDetails<boolean>> {
    const value = this.values[flag];
    return value === undefined
      ? { ...unknown(fallback), errorCode: ErrorCode.FLAG_NOT_FOUND }
      : { value, reason: StandardResolutionReasons.STATIC };
  }

  async resolveStringEvaluation(_flag: string, fallback: string) {
    return mismatch(fallback);
  }

  async resolveNumberEvaluation(_flag: string, fallback: number) {
    return mismatch(fallback);
  }

  async resolveObjectEvaluation<T extends JsonValue>(_flag: string, fallback: T) {
    return mismatch(fallback);
  }
}

const unknown = <T>(value: T) => ({ value, reason: StandardResolutionReasons.ERROR });

const mismatch = <T>(value: T): ResolutionDetails<T> => ({
  ...unknown(value),
  errorCode: ErrorCode.TYPE_MISMATCH,
});

/** Flags behind OpenFeature, so that another provider can take the settings' place. */
export async function createFlags(values: Readonly<Record<string, boolean>>): Promise<Flags> {
  await OpenFeature.setProviderAndWait(new SettingsProvider(values));
  const client = OpenFeature.getClient();
  return { enabled: (flag) => client.getBooleanValue(flag, true) };
}
