/** The version of the program, as in package.json; test/tidy holds them equal. */
export const programVersion = '0.1.0';
