import type { Diagnostic } from '../base/diagnostic.ts';
import { refusalOf } from '../base/refusal.ts';
import { decideDown, decideRemove, decideRestart, decideScale, decideStart, decideStop, type DownOptions, orphansLeft, type StopOptions } from '../cluster/decide/commands.ts';
import { patch } from '../cluster/decide/draft.ts';
import { decideStack, type StackDecision } from '../cluster/decide/stack.ts';
import { get, servicesOfProject, tasksOfService, type View } from '../cluster/state/view.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Change } from '../model/entry.ts';
import type { ChangeEvent, Goal } from '../model/progress.ts';
import type { Planner } from './planner.ts';
import { followProgress } from './progress.ts';
import type { ClusterStore } from './store/store.ts';

/** What a changing call answers as soon as the wish is durable. What comes of it: `progress`, from `revision` on. */
export type ControlAnswer = {
  readonly revision: number;
  /** The services that the call is about. */
  readonly services: readonly string[];
  readonly warnings: readonly Warning[];
};

/** A decision, and the state that it was taken in. */
export type CheckedDeployment = { readonly view: View; readonly decision: StackDecision };

export type Warning = { readonly code: string; readonly message: string };

/** The changing half of the API. Errors: those of the decisions (CLUSTER_*) and of the store (MANAGER_*). */
export type Control = {
  /** Refuses what `deploy` would refuse, with every reason, and changes nothing. */
  readonly check: (deployment: Deployment) => Promise<CheckedDeployment>;
  /** What `deploy` would change now. */
  readonly plan: (deployment: Deployment) => Promise<readonly Change[]>;
  /** `checked`: what `check` answered for the same deployment; where nothing has changed since, it is not decided again. */
  readonly deploy: (deployment: Deployment, checked?: CheckedDeployment) => Promise<ControlAnswer>;
  readonly stop: (options: StopOptions) => Promise<ControlAnswer>;
  readonly start: (options: { readonly projectName: string; readonly services: readonly string[] }) => Promise<ControlAnswer>;
  readonly restart: (options: StopOptions & { readonly withDependents: boolean }) => Promise<ControlAnswer>;
  readonly down: (options: DownOptions) => Promise<ControlAnswer>;
  readonly scale: (options: { readonly projectName: string; readonly replicas: Readonly<Record<string, number>> }) => Promise<ControlAnswer>;
  readonly remove: (options: StopOptions & { readonly isStopping: boolean; readonly removeVolumes: boolean }) => Promise<ControlAnswer>;
  /** One container goes; where its service is to have it, another takes its place. A stopped service goes with its last one. */
  readonly removeTask: (taskId: string, options: { readonly volumes: boolean; readonly stopGraceMs: number | null }) => Promise<void>;
  /** Follows what comes of a change, event by event, until the goal is reached. Throws the first failures; ends early when aborted. */
  readonly progress: (options: { readonly projectName: string; readonly services: readonly string[]; readonly fromRevision: number; readonly goal: Goal; readonly signal: AbortSignal }) => AsyncIterable<ChangeEvent>;
};

export function createControl(options: { readonly store: ClusterStore; readonly planner: Planner }): Control {
  const { store, planner } = options;
  const change = async (decide: (view: View) => { readonly changes: readonly Change[]; readonly services: readonly string[]; readonly warnings?: readonly Warning[] }): Promise<ControlAnswer> => {
    const { answer, revision } = await planner.submit((view) => {
      const { changes, services, warnings } = decide(view);
      return { changes, answer: { services, warnings: warnings ?? [] } };
    });
    return { revision, ...answer };
  };
  const plain = (changes: readonly Change[]): { changes: readonly Change[]; services: readonly string[] } => ({ changes, services: servicesOf(changes) });
  return {
    check: async (deployment) => {
      const view = store.view();
      return { view, decision: refuseIfAny(decideStack(view, deployment, planner.makers)) };
    },
    plan: async (deployment) => refuseIfAny(decideStack(store.view(), deployment, dryMakers())).changes,
    deploy: async (deployment, checked) => {
      const { answer, revision } = await planner.submit((view, makers) => {
        const decision = checked?.view === view ? checked.decision : refuseIfAny(decideStack(view, deployment, makers));
        return { changes: decision.changes, answer: { services: decision.services, warnings: decision.diagnostics.map(warningOf) } };
      });
      return { revision, ...answer };
    },
    stop: (one) => change((view) => plain(decideStop(view, one))),
    start: (one) => change((view) => decideStart(view, one)),
    restart: (one) => change((view) => plain(decideRestart(view, one))),
    down: (one) => change((view) => {
      const orphans = orphansLeft(view, one);
      const warnings = orphans.length === 0 ? [] : [{ code: 'CLUSTER_ORPHANS', message: `found containers of services that the file does not have, and left them: ${orphans.join(', ')} (to remove them too: --remove-orphans)` }];
      const changes = decideDown(view, one);
      if (changes.length === 0 && servicesOfProject(view, one.projectName).length === 0) return { changes, services: [], warnings: [{ code: 'CLUSTER_NOTHING_TO_REMOVE', message: `No resource found to remove for project "${one.projectName}".` }] };
      return { ...plain(changes), warnings };
    }),
    scale: (one) => change((view) => ({ changes: decideScale(view, one), services: Object.keys(one.replicas).sort() })),
    remove: (one) => change((view) => {
      const { changes, running } = decideRemove(view, one);
      const warnings = running.map((name) => ({ code: 'CLUSTER_SERVICE_RUNNING', message: `service ${name} has running containers and stays: stop it first, or use --stop` }));
      return { ...plain(changes), warnings };
    }),
    removeTask: async (taskId, { volumes, stopGraceMs }) => {
      await planner.submit((view) => {
        const task = get(view, 'task', taskId);
        if (task === undefined || task.desired === 'removed') return { changes: [], answer: null };
        const service = get(view, 'service', task.serviceId);
        // A stopped service without a container is as good as none: else it would be given another that stays stopped.
        const isLast = service?.desired === 'stopped' && tasksOfService(view, service.id).every((one) => one.id === taskId);
        const removal = patch<'task'>(task, { desired: 'removed', removeVolumes: volumes, stopGraceMs: stopGraceMs ?? task.stopGraceMs });
        return { changes: [removal, ...(service !== undefined && isLast ? [patch<'service'>(service, { desired: 'removed' })] : [])], answer: null };
      });
    },
    progress: (one) => followProgress(store, one),
  };
}

/** Services that a list of changes writes, and those whose tasks it writes. */
function servicesOf(changes: readonly Change[]): string[] {
  const names = new Set<string>();
  for (const change of changes) {
    if (change.kind !== 'put') continue;
    if (change.object.kind === 'service') names.add(change.object.name);
    if (change.object.kind === 'task') names.add(change.object.serviceName);
  }
  return [...names].sort();
}

/** Errors: those of `refusalOf`. */
function refuseIfAny(decision: StackDecision): StackDecision {
  if (!decision.isRefused) return decision;
  throw refusalOf(decision.diagnostics.filter((one) => one.severity === 'error'));
}

function warningOf(one: Diagnostic): Warning {
  return { code: one.code, message: one.hint === undefined ? one.message : `${one.message} (${one.hint})` };
}

/** Ids for a decision that is not carried out. */
function dryMakers(): { id: () => string; containerId: () => string } {
  let count = 0;
  const next = (): string => {
    count += 1;
    return `planned-${count}`;
  };
  return { id: next, containerId: next };
}
