/** What is said of a schema in the API's description. */
export const told = (description: string): { readonly description: string } => ({ description })
