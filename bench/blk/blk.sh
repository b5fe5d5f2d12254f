#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: tests/vm/run --mem 6G --env RUNS=5 bench/blk/blk.sh
#
# fio in guests, on disks that are RAM disks of the outer host: vbus in vbus-vmm,
# virtio-blk in QEMU with an iothread and io_uring, vhost-scsi in QEMU. All guests have
# the same kernel, initramfs and memory, and run side by side, idle but for the one that
# is measured; runs are interleaved. What is counted besides: VM exits by KVM's counter,
# interrupts of the disk by the guest's.
#
# Tests: reads and writes at a depth; sequential reads; and load that changes:
#   burst      40 reads at a depth of 32, a pause of 20 ms, and so on
#   beside     what one reader at depth 1 sees beside one at depth 32
#   change     depth 1, 32 and 1 again, a third of the time each; what the last third sees
#
#   RUNS       runs of each test (5)       SECONDS_EACH  of a run (4)
#   VCPUS      "1 2"                       PEERS         "vbus virtio-blk vhost-scsi"
#   TESTS      names below                 ATTACH        how vbus guests reach their bus
#   RESULTS    file for report.py; a folder build/ that the caller sees, too
. "${0%/*}/../../tests/vm/lib.sh"

: "${RUNS:=5}" "${SECONDS_EACH:=4}" "${VCPUS:=1 2}" "${PEERS:=vbus virtio-blk vhost-scsi}"
: "${TESTS:=randread-1 randread-32 randwrite-1 randwrite-32 seqread burst beside change}"
: "${RESULTS:=$VBUS_BUILD/bench-blk.results}"
guest_disk_image || bail "no image"
wwpn=naa.6001405f0f0f0f0f

declare -A guest_of=([vbus]=g1 [virtio-blk]=g2 [vhost-scsi]=g3)
declare -A disk_of=([vbus]=/dev/ram0 [virtio-blk]=/dev/ram1 [vhost-scsi]=/dev/ram2)
declare -A node_of=([vbus]=vbda [virtio-blk]=vda [vhost-scsi]=sda)
declare -A irqs_of=([vbus]=vbus0- [virtio-blk]='virtio.*-req' [vhost-scsi]='virtio.*-request')

ramdisks()
{
	local d
	modprobe brd rd_nr=3 rd_size=262144 || return
	# Pages that were never written cost less to read.
	for d in /dev/ram{0,1,2}; do
		dd if=/dev/zero of=$d bs=1M count=256 status=none || return
	done
}

# A block device as a logical unit of a vhost-scsi target.
scsi_target()
{
	local target=/sys/kernel/config/target unit
	modprobe -a target_core_mod target_core_iblock vhost_scsi || return
	unit=$target/core/iblock_0/disk
	mkdir -p $unit && echo "udev_path=${disk_of[vhost-scsi]}" > $unit/control &&
		echo 1 > $unit/enable || return
	mkdir -p $target/vhost/$wwpn/tpgt_1/lun/lun_0 &&
		echo $wwpn > $target/vhost/$wwpn/tpgt_1/nexus &&
		ln -s $unit $target/vhost/$wwpn/tpgt_1/lun/lun_0/disk
}

scsi_target_gone()
{
	local target=/sys/kernel/config/target
	rm $target/vhost/$wwpn/tpgt_1/lun/lun_0/disk && rmdir $target/vhost/$wwpn/tpgt_1/lun/lun_0 &&
		rmdir $target/vhost/$wwpn/tpgt_1 $target/vhost/$wwpn $target/vhost &&
		rmdir $target/core/iblock_0/disk $target/core/iblock_0
}

# boot PEER VCPUS
boot()
{
	case $1 in
	vbus)
		bus_make vm0 3 && blk_make d0 ${disk_of[$1]} "queues=$2" && plug vm0 3 blk.d0 &&
			guest_start g1 --bus vm0 --cpus "$2" --mem 512M ;;
	virtio-blk)
		guest_start_qemu g2 -smp "$2" -m 512M -object iothread,id=io \
			-blockdev "driver=host_device,node-name=d,filename=${disk_of[$1]},cache.direct=on,aio=io_uring" \
			-device "virtio-blk-pci,drive=d,iothread=io,num-queues=$2,romfile=" ;;
	vhost-scsi)
		scsi_target && guest_start_qemu g3 -smp "$2" -m 512M \
			-device "vhost-scsi-pci,wwpn=$wwpn,num_queues=$2,romfile=" ;;
	esac
}

has_disk()
{
	guest "${guest_of[$1]}" "modprobe -a sd_mod 2> /dev/null; test -b /dev/${node_of[$1]}"
}

stop()
{
	guest_stop "${guest_of[$1]}" || return
	case $1 in
	vbus) bus_remove vm0 && blk_remove d0 ;;
	vhost-scsi) scsi_target_gone ;;
	esac
}

kvm_exits()
{
	cat /sys/kernel/debug/kvm/"$(guest_pid "$1")"-*/exits
}

# Jobs of fio for a test; the one called t is reported.
jobs()
{
	local random="--rw=randread --bs=4k" t=$SECONDS_EACH third
	third=$((SECONDS_EACH * 1000 / 3))ms
	case $1 in
	*-*)     echo "--name=t --rw=${1%-*} --bs=4k --iodepth=${1#*-} --runtime=$t" ;;
	seqread) echo "--name=t --rw=read --bs=128k --iodepth=8 --runtime=$t" ;;
	burst)   echo "--name=t $random --iodepth=32 --thinktime=20ms --thinktime_blocks=40 --runtime=$t" ;;
	beside)  echo "--name=deep $random --iodepth=32 --runtime=$t" \
			"--name=t --new_group $random --iodepth=1 --runtime=$t" ;;
	change)  echo "--name=first $random --iodepth=1 --runtime=$third" \
			"--name=deep $random --iodepth=32 --startdelay=$third --runtime=$third" \
			"--name=t --new_group $random --iodepth=1 --startdelay=$((2 * SECONDS_EACH * 1000 / 3))ms --runtime=$third" ;;
	esac
}

# one PEER TEST VCPUS: a line of the results
one()
{
	local guest=${guest_of[$1]} before after out
	before=$(kvm_exits "$guest")
	# What fio says is kilobytes; the line that carries it takes an exit for each.
	out=$(guest "$guest" "count() { awk '/${irqs_of[$1]}/ { for (i = 2; i <= NF && \$i ~ /^[0-9]+\$/; i++) n += \$i }
				END { print n + 0 }' /proc/interrupts; }
		before=\$(count)
		fio --filename=/dev/${node_of[$1]} --direct=1 --ioengine=io_uring --numjobs=$3 \\
			--group_reporting --time_based --randrepeat=0 --norandommap \\
			--percentile_list=50:99:99.9 --output-format=json $(jobs "$2") \\
			> /tmp/fio 2>&1 || { cat /tmp/fio; exit 1; }
		awk -v irqs=\$((\$(count) - before)) '
			/\"jobname\"/ { job = \$3; gsub(/[\",]/, \"\", job); dir = \"\" }
			/\"(read|write|trim|sync)\" : / { dir = \$1; clat = 0 }
			dir !~ /read|write/ { next }
			/\"total_ios\"/ { v = \$3 + 0; all += v; got = v
				if (job == \"t\") { ios += v; if (v) secs += runtime } }
			/\"runtime\"/ { runtime = \$3 / 1000 }
			job != \"t\" || !got { next }
			/\"[sc]?lat_ns\"/ { clat = /\"clat_ns\"/ }
			!clat { next }
			/\"max\"/ { if (\$3 / 1000 > max) max = \$3 / 1000 }
			/\"50.000000\"/ { p50 += got * \$3 / 1000 }
			/\"99.000000\"/ { if (\$3 / 1000 > p99) p99 = \$3 / 1000 }
			/\"99.900000\"/ { if (\$3 / 1000 > p999) p999 = \$3 / 1000 }
			END { print ios / secs, p50 / ios, p99, p999, max, all, irqs }' /tmp/fio") || { echo "$out"; return 1; }
	after=$(kvm_exits "$guest")
	echo "$1 $2 $3 $out $((after - before))" >> "$RESULTS"
	echo "$1 $2 $3 $out $((after - before))" | awk 'NF != 11 || $4 <= 0 { bad = 1 }
		{ print } END { exit bad }'
}

: > "$RESULTS"
check "RAM disks" ramdisks || bail "nothing to measure on"
for vcpus in $VCPUS; do
	for peer in $PEERS; do
		check "$peer with $vcpus CPUs boots" boot "$peer" "$vcpus" || bail "no guest"
		check "it has its disk" wait_for 60 has_disk "$peer"
	done
	for ((run = 1; run <= RUNS; run++)); do
		for t in $TESTS; do
			for peer in $PEERS; do
				check "run $run: $peer, $t, $vcpus CPUs" one "$peer" "$t" "$vcpus"
			done
		done
	done
	for peer in $PEERS; do
		check "$peer powers off" stop "$peer"
	done
done
modprobe -r brd
finish
