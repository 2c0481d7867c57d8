/** Which panel is shown. All false: the operation that is on in tables.py decides. */
export const environment = {
  regularTables: { default: false, IAM: false, setIAM: false, browse: false, query: false },
};
