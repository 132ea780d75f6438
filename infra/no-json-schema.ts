// What stands for zod's writing of JSON Schemas in the functions' bundles: a twentieth of each, which nothing here calls.

const refuse = () => {
  throw new Error('the functions’ bundles do not hold zod’s JSON Schemas (infra/build-bundles.ts)');
};

/** Called for every schema that is made. */
export const createToJSONSchemaMethod = () => refuse;
export const createStandardJSONSchemaMethod = () => refuse;

export const aggregateChecks = refuse;
