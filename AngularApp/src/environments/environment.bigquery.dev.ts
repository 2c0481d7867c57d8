/**
 * Used by `npx ng serve -c=regularTables`. Left all false, the operation that is on in tables.py decides which panel is
 * shown. To pin one by hand, set its keys to true and save:
 *
 *   create, updateDesc, updateExpiration, copySingle, copyMultiple, delete, recover, export: default
 *   setIAM: IAM and setIAM    getIAM: IAM    querySDK: browse    querySQL: browse and query
 */
export const environment = {
  regularTables: { default: false, IAM: false, setIAM: false, browse: false, query: false },
};
