#!/bin/bash
# A whole LAVA lab on the loopback, out of Debian's packages, without systemd or a web server in front.
#
#   lab.sh up STATE      starts what does not run yet; the state is kept in the directory STATE
#   lab.sh down STATE    ends it
#   lab.sh server stop|start STATE
#   lab.sh health DEVICE good|bad|maintenance|retired STATE
#
# Needs root, and the packages lava-server, lava-dispatcher, postgresql, tftpd-hpa and qemu-system-x86. Nothing below /etc is changed but
# the worker's dispatcher.yaml, whose place LAVA has built in. Users: alice is ordinary, sam is staff, root is a superuser; their tokens
# are in STATE/tokens, one `NAME TOKEN` a line.
set -euo pipefail
# Debian's python, whatever else is installed.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin

command=$1
state=${!#}
port=${LAB_PORT:-18080}
postgres_port=$((port + 1))
events_port=$((port + 2))
worker=worker0
programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

as() { # USER COMMAND…
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --clear-groups env HOME="$state/home" "$@"
}

alive() { # NAME
    local pid
    pid=$(cat "$state/run/$1.pid" 2>/dev/null) || return 1
    # What ended and was not waited for is no process for us.
    [ "$(awk '{ print $3 }' "/proc/$pid/stat" 2>/dev/null || echo Z)" != Z ]
}

start() { # NAME USER COMMAND…
    local name=$1 user=$2
    shift 2
    ! alive "$name" || return 0
    if [ "$user" != root ]; then
        set -- setpriv --reuid "$user" --regid "$user" --clear-groups env HOME="$state/home" "$@"
    fi
    setsid "$@" >> "$state/log/$name" 2>&1 < /dev/null &
    echo $! > "$state/run/$name.pid"
}

end() { # SIGNAL NAME…: all are told at once, and killed where they linger
    local signal=$1 name
    shift
    for name; do ! alive "$name" || kill -s "$signal" "$(cat "$state/run/$name.pid")"; done
    for name; do
        for _ in $(seq 20); do alive "$name" && sleep 0.1 || break; done
        ! alive "$name" || kill -s KILL -- "-$(cat "$state/run/$name.pid")"
        rm -f "$state/run/$name.pid"
    done
}

wait_for() { # NAME COMMAND…: until the command succeeds; fails where NAME ended or a minute has gone
    local name=$1
    shift
    for _ in $(seq 300); do
        ! "$@" > /dev/null 2>&1 || return 0
        alive "$name" || break
        sleep 0.2
    done
    echo "lab: $name does not come up:" >&2
    tail -n 20 "$state/log/$name" >&2
    return 1
}

settings() {
    export DATABASE_URL="postgres://lavaserver@127.0.0.1:$postgres_port/lavaserver"
    export SECRET_KEY=a-lab-that-lives-for-a-minute
    LAVA_JSON_SETTINGS=$(base64 --wrap=0 << JSON
{"MEDIA_ROOT": "$state/media/", "DJANGO_LOGFILE": "$state/log/django",
 "DEVICES_PATH": "$state/devices", "HEALTH_CHECKS_PATH": "$state/health-checks",
 "DEVICE_TYPES_PATHS": ["/usr/share/lava-server/device-types"],
 "SESSION_COOKIE_SECURE": false, "CSRF_COOKIE_SECURE": false, "HTTPS_XML_RPC": false,
 "EVENT_NOTIFICATION": true, "INTERNAL_EVENT_SOCKET": "ipc://$state/media/events",
 "EVENT_SOCKET": "tcp://127.0.0.1:$((events_port + 1))"}
JSON
)
    export LAVA_JSON_SETTINGS
}

manage() { as lavaserver lava-server manage "$@"; }

database() {
    if [ ! -s "$state/postgres/PG_VERSION" ]; then
        as postgres "$programs/initdb" -D "$state/postgres" -U postgres -A trust --locale=C.UTF-8 --encoding=UTF8 --no-sync > /dev/null
    fi
    # Nothing in it is worth a sync.
    start postgres postgres "$programs/postgres" -D "$state/postgres" -p "$postgres_port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c fsync=off -c synchronous_commit=off -c full_page_writes=off
    wait_for postgres "$programs/pg_isready" -q -h 127.0.0.1 -p "$postgres_port" -U postgres
    [ ! -e "$state/migrated" ] || return 0
    sql() { "$programs/psql" -qAt -h 127.0.0.1 -p "$postgres_port" -U postgres -c "$1"; }
    sql 'create role lavaserver login'
    sql "create database lavaserver owner lavaserver template template0 encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'"
    manage migrate --noinput > "$state/log/migrate" 2>&1
    touch "$state/migrated"
}

# Devices' templates must be there before the devices: the scheduler takes one without for bad.
content() {
    [ ! -e "$state/tokens" ] || return 0
    local device number=16
    for device in qemu-01 qemu-02 qemu-bad qemu-maintenance qemu-retired; do
        number=$((number + 1))
        printf '%s\n' "{% extends 'qemu.jinja2' %}" "{% set mac_addr = '52:54:00:12:34:$number' %}" \
            '{% set memory = 512 %}' '{% set no_kvm = True %}' > "$state/devices/$device.jinja2"
    done
    # A machine that LAVA boots over the network: iPXE in QEMU's card is interrupted on the serial line, as on a real board.
    local tftp
    tftp=$(sed -n 's/^TFTP_DIRECTORY="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/default/tftpd-hpa)
    mkdir -p "$tftp"
    cat > "$state/devices/netboot-01.jinja2" << JINJA
{% extends 'x86.jinja2' %}
{% set connection_command = 'qemu-system-x86_64 -accel tcg -m 512 -nographic -monitor none -no-reboot -netdev user,id=n0,tftp=$tftp -device virtio-net-pci,netdev=n0 -boot n' %}
{% set power_on_command = '/bin/true' %}
{% set power_off_command = '/bin/true' %}
{% set hard_reset_command = '/bin/true' %}
{% set ipxe_autoboot_prompt = 'Press Ctrl-B' %}
{% set boot_character_delay = 20 %}
JINJA
    # Without it a job asks for a default route. 10.0.2.2 is this machine as QEMU's user network shows it.
    mkdir -p "/etc/lava-server/dispatcher.d/$worker"
    echo 'dispatcher_ip: 10.0.2.2' > "/etc/lava-server/dispatcher.d/$worker/dispatcher.yaml"
    chown -R lavaserver: "$state/devices" "/etc/lava-server/dispatcher.d/$worker"
    manage shell -c "
import secrets
from django.contrib.auth.models import User
from linaro_django_xmlrpc.models import AuthToken
from lava_scheduler_app.models import Device, DeviceType, Tag, Worker
tokens = {}
for name, staff, superuser in (('alice', False, False), ('sam', True, False), ('root', False, True)):
    user = User.objects.create(username=name, email=name + '@localhost', is_staff=staff, is_superuser=superuser)
    tokens[name] = AuthToken.objects.create(user=user, secret=secrets.token_hex(32)).secret
worker = Worker.objects.create(hostname='$worker', health=Worker.HEALTH_ACTIVE)
tokens['worker'] = worker.token
qemu = DeviceType.objects.create(name='qemu', disable_health_check=True)
x86 = DeviceType.objects.create(name='x86', disable_health_check=True)
broken = DeviceType.objects.create(name='broken', disable_health_check=True)
tag = Tag.objects.create(name='first')
for name, kind, health in (('qemu-01', qemu, 'GOOD'), ('qemu-02', qemu, 'GOOD'), ('qemu-bad', broken, 'BAD'),
                           ('qemu-maintenance', broken, 'MAINTENANCE'), ('qemu-retired', broken, 'RETIRED'),
                           ('netboot-01', x86, 'GOOD')):
    device = Device.objects.create(hostname=name, device_type=kind, worker_host=worker)
    device.health = getattr(Device, 'HEALTH_' + health)
    device.save()
    if name == 'qemu-01':
        device.tags.add(tag)
for name, token in tokens.items():
    print(name, token)
" > "$state/tokens.new" 2> "$state/log/content"
    chmod 600 "$state/tokens.new"
    mv "$state/tokens.new" "$state/tokens"
}

server() {
    if ! alive server && curl --silent --output /dev/null "http://127.0.0.1:$port/"; then
        echo "lab: something else listens on port $port" >&2
        exit 1
    fi
    DJANGO_SETTINGS_MODULE=lava_server.settings.prod start server lavaserver gunicorn3 lava_server.wsgi \
        --bind "127.0.0.1:$port" --worker-class eventlet --workers 1
    wait_for server curl --fail --silent "http://127.0.0.1:$port/api/v0.2/system/version/"
}

up() {
    mkdir -p "$state"/{run,log,postgres,devices,health-checks,media/job-output,home,worker}
    chmod 755 "$state"
    chown postgres: "$state/postgres"
    chown -R lavaserver: "$state"/{media,home,log,devices,health-checks}
    settings
    database
    content
    server
    # Both drop their rights themselves. Without the publisher's events the scheduler looks every twenty seconds.
    start publisher root lava-server manage lava-publisher --log-file - --host 127.0.0.1 --port "$events_port"
    start scheduler root lava-server manage lava-scheduler --log-file - --event-url "tcp://127.0.0.1:$((events_port + 1))"
    start worker root lava-worker --name "$worker" --url "http://127.0.0.1:$port" --ws-url "http://127.0.0.1:$events_port/ws/" \
        --token "$(sed -n 's/^worker //p' "$state/tokens")" --worker-dir "$state/worker" --log-file - \
        --ping-interval 1 --job-log-interval 1
    online() { curl --fail --silent "http://127.0.0.1:$port/api/v0.2/workers/$worker/" | grep -q '"state":"Online"'; }
    wait_for worker online
}

down() {
    # Jobs are children of the worker.
    ! alive worker || pkill -TERM -P "$(cat "$state/run/worker.pid")" || true
    end TERM worker scheduler server publisher
    end INT postgres
}

case $command in
up) up ;;
down) down ;;
server)
    settings
    # Its children would go on serving for a while.
    if [ "$2" = stop ]; then kill -s KILL -- "-$(cat "$state/run/server.pid")"; else server; fi
    ;;
health)
    settings
    manage devices update --health "${3^^}" "$2"
    ;;
*)
    echo "lab: no command $command" >&2
    exit 2
    ;;
esac
