import type { Command } from "./command.ts";
import { command as commit } from "./commands/commit.ts";
import { command as completion } from "./commands/completion.ts";
import { command as containerPrune } from "./commands/container-prune.ts";
import { command as cp } from "./commands/cp.ts";
import { command as create } from "./commands/create.ts";
import { command as diff } from "./commands/diff.ts";
import { command as events } from "./commands/events.ts";
import { command as exportCommand } from "./commands/export.ts";
import { command as help } from "./commands/help.ts";
import { command as history } from "./commands/history.ts";
import { command as imagePrune } from "./commands/image-prune.ts";
import { command as images } from "./commands/images.ts";
import { command as importCommand } from "./commands/import.ts";
import { command as info } from "./commands/info.ts";
import { command as inspect } from "./commands/inspect.ts";
import { command as kill } from "./commands/kill.ts";
import { command as load } from "./commands/load.ts";
import { command as login } from "./commands/login.ts";
import { command as logout } from "./commands/logout.ts";
import { command as logs } from "./commands/logs.ts";
import { command as networkConnect } from "./commands/network-connect.ts";
import { command as networkCreate } from "./commands/network-create.ts";
import { command as networkDisconnect } from "./commands/network-disconnect.ts";
import { command as networkInspect } from "./commands/network-inspect.ts";
import { command as networkLs } from "./commands/network-ls.ts";
import { command as networkPrune } from "./commands/network-prune.ts";
import { command as networkRm } from "./commands/network-rm.ts";
import { command as pause } from "./commands/pause.ts";
import { command as port } from "./commands/port.ts";
import { command as pull } from "./commands/pull.ts";
import { command as push } from "./commands/push.ts";
import { command as reap } from "./commands/reap.ts";
import { command as restart } from "./commands/restart.ts";
import { command as rm } from "./commands/rm.ts";
import { command as rmi } from "./commands/rmi.ts";
import { command as save } from "./commands/save.ts";
import { command as search } from "./commands/search.ts";
import { command as settle } from "./commands/settle.ts";
import { command as start } from "./commands/start.ts";
import { command as stats } from "./commands/stats.ts";
import { command as stop } from "./commands/stop.ts";
import { command as systemDf } from "./commands/system-df.ts";
import { command as tag } from "./commands/tag.ts";
import { command as top } from "./commands/top.ts";
import { command as unpack } from "./commands/unpack.ts";
import { command as unpause } from "./commands/unpause.ts";
import { command as update } from "./commands/update.ts";
import { command as version } from "./commands/version.ts";
import { command as volumeCreate } from "./commands/volume-create.ts";
import { command as volumeInspect } from "./commands/volume-inspect.ts";
import { command as volumeLs } from "./commands/volume-ls.ts";
import { command as volumePrune } from "./commands/volume-prune.ts";
import { command as volumeRm } from "./commands/volume-rm.ts";
import { command as wait } from "./commands/wait.ts";

/** The commands that are loaded together when one of them is asked for; `__reap` is what a monitor becomes. */
export const COLD_COMMANDS: readonly Command[] = [
  create,
  start,
  stop,
  restart,
  kill,
  pause,
  unpause,
  rm,
  containerPrune,
  wait,
  diff,
  cp,
  logs,
  events,
  stats,
  top,
  update,
  commit,
  exportCommand,
  images,
  pull,
  push,
  tag,
  rmi,
  history,
  load,
  save,
  importCommand,
  imagePrune,
  login,
  logout,
  search,
  systemDf,
  networkConnect,
  networkCreate,
  networkDisconnect,
  networkInspect,
  networkLs,
  networkPrune,
  networkRm,
  volumeCreate,
  volumeInspect,
  volumeLs,
  volumePrune,
  volumeRm,
  port,
  inspect,
  info,
  version,
  completion,
  help,
  reap,
  settle,
  unpack,
];
