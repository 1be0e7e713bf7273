import type { Model } from './checker.ts';

/** A register with compare-and-set. Values are texts; null is "nothing there". */
export type RegisterInput =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: string }
  | { readonly kind: 'cas'; readonly from: string | null; readonly to: string };
export type RegisterOutput = { readonly kind: 'read'; readonly value: string | null } | { readonly kind: 'done'; readonly isOk: boolean };

export const registerModel: Model<string | null, RegisterInput, RegisterOutput> = {
  first: null,
  step: (state, input, output) => {
    switch (input.kind) {
      case 'read':
        return output === null || (output.kind === 'read' && output.value === state) ? state : undefined;
      case 'write':
        return input.value;
      case 'cas': {
        const isHit = input.from === state;
        if (output !== null && (output.kind !== 'done' || output.isOk !== isHit)) return undefined;
        return isHit ? input.to : state;
      }
    }
  },
  print: (state) => (state === null ? '-' : `=${state}`),
};

export type TextInput = { readonly kind: 'get' } | { readonly kind: 'put'; readonly value: string } | { readonly kind: 'append'; readonly value: string };

/** A text that can be read, replaced and appended to. */
export const textModel: Model<string, TextInput, string> = {
  first: '',
  step: (state, input, output) => {
    if (input.kind === 'get') return output === null || output === state ? state : undefined;
    return input.kind === 'put' ? input.value : state + input.value;
  },
  print: (state) => state,
};
